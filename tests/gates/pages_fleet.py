"""The fleet pages in every state of a writer. A part of the list in `pages.py`."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from devices import drives
from devices.agent.wire import DriveVerb
from devices.models import BlankBin, CachedImage, DeviceEvent, Disc, EnrolmentCode, SelfDoubt, Sighting, Write, Writer
from tests import fleets
from tests.gates.pages import World, furnishing, visit

SHEETS = "".join(
    f'<link rel="stylesheet" href="/static/spindle/{name}.css">' for name in ("pico-2.min", "spindle", "plant")
)
FRAGMENT = f"{SHEETS}<h1>Fleet</h1>{{}}"


@furnishing("plant")
def fleet(world: World) -> None:
    User.objects.create_superuser("anna", "anna@example.com", "disc-disc-disc")
    now = world.plant.now = timezone.now()
    world.plant.report()  # the pages before these took a while, and nobody is to be silent for that
    fleets.whole_fleet(now)
    fleets.sightings(now)


def staff() -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.get(username="anna"))
    return client


def look(path: str = "", **query: str) -> Any:
    return staff().get(f"/plant/fleet/{path}", query)


def at(name: str, path: str = "") -> str:
    return f"/plant/fleet/{Writer.objects.get(name__startswith=name).uuid}/{path}"


def post(url: str, **form: object) -> Any:
    return staff().post(url, form, follow=True)


@visit("fleet", "plant")
def whole(world: World) -> Any:
    return look()


@visit("fleet-trouble", "plant")
def in_trouble(world: World) -> Any:
    return look(show="trouble", format="dvd")


@visit("fleet-nothing-like-it", "plant")
def nothing_like_it(world: World) -> Any:
    return look(show="person", format="bd")


@visit("fleet-empty", "plant")
def empty(world: World) -> Any:
    for model in (Disc, DeviceEvent, Write, Writer, Sighting):
        model._default_manager.all().delete()
    return look()


@visit("fleet-only-looking", "plant")
def only_looking(world: World) -> Any:
    user = User.objects.create_user("bert", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_writer"))
    client = Client()
    client.force_login(user)
    return client.get(at("Writer 3"))


@visit("fleet-cards", "plant", around=FRAGMENT)
def cards(world: World) -> Any:
    return look("cards/")


@visit("writer-busy", "plant")
def writer_busy(world: World) -> Any:
    return staff().get(at("Writer 2"))


@visit("writer-by-hand", "plant")
def writer_by_hand(world: World) -> Any:
    return staff().get(at("Writer 3"))


@visit("writer-answered", "plant")
def writer_answered(world: World) -> Any:
    """One drive was told, and the agent has not done it yet; another one refused."""
    writer = Writer.objects.get(name="Writer 3")
    now = timezone.now()
    done = drives.order_drive(writer, "d2", DriveVerb.TAKEN_OUT, actor=fleets.WHO, now=now, serial="4K7P2M9XQR3S")
    failed = drives.order_drive(writer, "d4", DriveVerb.EJECT, actor=fleets.WHO, now=now)
    type(failed).objects.filter(pk=failed.pk).update(state="failed", reason="The drive reads a disc.")
    assert done.state == "open"
    return staff().get(at("Writer 3"))


@visit("writer-now", "plant", around=f'<form id="words" method="post"></form>{FRAGMENT}')
def writer_now(world: World) -> Any:
    return staff().get(at("Writer 3", "now/"))


@visit("writer-stopped", "plant")
def writer_stopped(world: World) -> Any:
    return staff().get(at("Writer 4"))


@visit("writer-offline", "plant")
def writer_offline(world: World) -> Any:
    return staff().get(at("Writer 5"))


@visit("writer-suspect", "plant")
def writer_suspect(world: World) -> Any:
    return staff().get(at("Writer 6"))


@visit("writer-robot", "plant")
def writer_robot(world: World) -> Any:
    return staff().get(at("Writer 7"))


@visit("writer-lost", "plant")
def writer_lost(world: World) -> Any:
    return staff().get(at("Writer 8"))


@visit("writer-new", "plant")
def writer_new(world: World) -> Any:
    return staff().get(at("Writer 9"))


@visit("writer-drained", "plant")
def writer_drained(world: World) -> Any:
    return post(at("Writer 2", "drain/"), why="It rattles.")


@visit("writer-why-error", "plant", status=422)
def why_error(world: World) -> Any:
    return post(at("Writer 2", "drain/"), why="It rattles. " * 30)


@visit("writer-blanks-put-in", "plant")
def blanks_put_in(world: World) -> Any:
    bin_ = BlankBin.objects.get(writer__name="Writer 2", kind="CD-R")
    return post(at("Writer 2", f"bins/{bin_.pk}/put-in/"), number=50, seen=0)


@visit("writer-blanks-error", "plant", status=422)
def blanks_error(world: World) -> Any:
    bin_ = BlankBin.objects.get(writer__name="Writer 2", kind="DVD-R")
    return post(at("Writer 2", f"bins/{bin_.pk}/count/"), number="many")


@visit("writer-image-purged", "plant")
def image_purged(world: World) -> Any:
    image = CachedImage.objects.get(sha256=fleets.digest("Old"))
    return post(at("Writer 2", f"images/{image.sha256}/purge/"))


@visit("writer-drive-serviced", "plant")
def drive_serviced(world: World) -> Any:
    drive = Writer.objects.get(name="Writer 7").drives.get(ident="d2")
    return post(at("Writer 7", f"drives/{drive.pk}/serviced/"))


@visit("fleet-server-in-doubt", "plant")
def server_in_doubt(world: World) -> Any:
    SelfDoubt.objects.create(began_at=timezone.now(), silent=5, fleet=9)
    return look()


@visit("writer-late-answer", "plant")
def late_answer(world: World) -> Any:
    drive = Writer.objects.get(name="Writer 2").drives.get(ident="d3")
    return post(at("Writer 2", f"drives/{drive.pk}/loaded/"), serial="")


@visit("writer-unknown", "plant", status=404)
def writer_unknown(world: World) -> Any:
    return look("5f0c2a4e-0000-4000-8000-000000000000/")


@visit("fleet-add", "plant")
def add(world: World) -> Any:
    return look("add/", name="Back room PC")


@visit("fleet-add-error", "plant", status=422)
def add_error(world: World) -> Any:
    return post("/plant/fleet/add/", name="Writer 2")


@visit("fleet-look-error", "plant", status=422)
def look_error(world: World) -> Any:
    return post("/plant/fleet/look/", address="http://192.0.2.9:9101")


@visit("fleet-code", "plant")
def code(world: World) -> Any:
    return post("/plant/fleet/add/", name="Back room PC")


def _came(**values: Any) -> Any:
    code(None)  # type: ignore[arg-type]
    EnrolmentCode.objects.update(**values)
    return look(f"add/{EnrolmentCode.objects.get().pk}/")


@visit("fleet-came", "plant", around=FRAGMENT)
def came(world: World) -> Any:
    return _came(used_at=timezone.now(), writer=Writer.objects.get(name="Writer 9"))


@visit("fleet-came-nobody", "plant", around=FRAGMENT)
def came_nobody(world: World) -> Any:
    return _came(expires_at=timezone.now())
