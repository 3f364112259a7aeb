"""The copy console in every state of a copy and of what can be chosen. A part of the list in `pages.py`."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from archive.models import Image, TitleVersion
from devices.models import CachedImage, DeviceEvent, Disc, Drive, Sighting, Write, Writer
from fulfillment.models import Copy
from tests.copies import ANNA, copy_in, upload_in
from tests.gates.pages import World, visit
from tests.gates.pages_fleet import staff
from tests.scene import make_title

# The forms that a part's buttons belong to stand outside it, so that nothing in it changes by itself.
FRAGMENT = '<h1>Part</h1><form id="seen"></form><form id="act"></form><form id="upload-act"></form><div>{}</div>'


def look(path: str = "", **query: str) -> Any:
    return staff().get(f"/plant/console/{path}", query)


def unit(world: World) -> Writer:
    """Writer 1, with a source drive, blanks and images on its disk."""
    world.plant.now = timezone.now()
    world.plant.agent.sequence += 1
    world.plant.report()
    writer = world.plant.writer
    formats, kinds = ["cd", "dvd"], ["CD-R", "DVD-R"]
    Drive.objects.create(writer=writer, ident="s1", role="source", state="idle", formats=formats, kinds=kinds)
    for name, size in (("P-1", 40_960), ("nobody's", 4_000_000_000)):
        sha256 = Image.objects.filter(versions__title__part_number=name).values_list("sha256", flat=True).first()
        values = {"layout": "iso", "size": size, "state": "ready"}
        CachedImage.objects.update_or_create(writer=writer, sha256=sha256 or "ab" * 32, defaults=values)
    return writer


def what() -> str:
    return f"title:{TitleVersion.objects.get(title__part_number='P-1').pk}"


@visit("console", "plant")
def whole(world: World) -> Any:
    unit(world)
    return look()


@visit("console-chosen", "plant")
def chosen(world: World) -> Any:
    writer = unit(world)
    make_title("P-3", size=20_000_000_000)
    Drive.objects.filter(writer=writer, ident="d2").update(held_for=str(uuid4()), held_by="user:2 bert")
    image = Image.objects.get(versions__title__part_number="P-1")
    upload_in("ready", "Holiday pictures", image=image)
    return look(**{"unit": str(writer.uuid), "from": what()})


@visit("console-busy", "plant")
def busy(world: World) -> Any:
    """Copies that go on and copies that ended, and uploads on their way."""
    writer = unit(world)
    copy_in(world.plant.writer, "writing", discs=("good", "started", "planned"))
    copy_in(world.plant.writer, "sending", reason="Fetching: 41 %.")
    copy_in(world.plant.writer, "reading", source_writer=writer, source_drive="s1", origin="drive", title="Disc in s1")
    copy_in(world.plant.writer, "done", discs=("good", "good"))
    copy_in(world.plant.writer, "failed", discs=("good", "bad"))
    copy_in(world.plant.writer, "unknown", discs=("good", "unknown"))
    copy_in(world.plant.writer, "cancelled", seen_by=ANNA, seen_at=timezone.now())
    upload_in("receiving", "A film")
    lease = {"lease_owner": "me", "lease_until": timezone.now()}
    upload_in("making", "Holiday pictures", made=300_000_000, **lease)
    upload_in("failed", "broken.iso", reason="broken.iso is cut short: it has 60.0 kB of 460.8 kB; fetch it again.")
    return look(unit=str(writer.uuid))


@visit("console-empty", "plant")
def empty(world: World) -> Any:
    for model in (Disc, DeviceEvent, Write, Writer, Sighting):
        model._default_manager.all().delete()
    return look()


@visit("console-only-looking", "plant")
def only_looking(world: World) -> Any:
    writer = unit(world)
    user = User.objects.create_user("carl", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_copy"))
    client = Client()
    client.force_login(user)
    return client.get("/plant/console/", {"unit": str(writer.uuid), "from": what()})


@visit("console-nothing-found", "plant")
def nothing_found(world: World) -> Any:
    return look(unit=str(unit(world).uuid), q="nothing like it")


@visit("console-no-drive-free", "plant")
def no_drive_free(world: World) -> Any:
    writer = unit(world)
    Drive.objects.filter(writer=writer, role="copier").update(state="busy")
    return look(**{"unit": str(writer.uuid), "from": what()})


def start(world: World, **said: Any) -> Any:
    values = {"copy": str(uuid4()), "unit": str(unit(world).uuid), "from": what(), "format": "cd", "copies": "1"}
    return staff().post("/plant/console/start/", values | said, follow=True)


@visit("console-started", "plant")
def started(world: World) -> Any:
    return start(world, drive="d1")


@visit("console-errors", "plant", status=422)
def errors(world: World) -> Any:
    return start(world, drive=["d1", "d2"])


@visit("console-no-drive-chosen", "plant", status=422)
def no_drive_chosen(world: World) -> Any:
    return start(world)


@visit("console-too-late", "plant", status=422)
def too_late(world: World) -> Any:
    Writer.objects.filter(pk=world.plant.writer.pk).update(draining=True)
    return start(world, drive="d1")


@visit("console-going", "plant", around=FRAGMENT)
def going(world: World) -> Any:
    copy_in(world.plant.writer, "writing", discs=("started", "planned"))
    return look("going/")


@visit("console-sent", "plant", around=FRAGMENT)
def sent(world: World) -> Any:
    upload_in("receiving", "A film")
    return look("sent/")


def shown(copy: Copy, path: str = "") -> Any:
    return staff().get(copy.get_absolute_url() + path)


@visit("copy-asked", "plant")
def asked(world: World) -> Any:
    return shown(copy_in(world.plant.writer, "asked"))


@visit("copy-reading", "plant")
def reading(world: World) -> Any:
    writer = unit(world)
    Drive.objects.filter(writer=writer, ident="s1").update(progress=0.3, state="busy")
    return shown(copy_in(world.plant.writer, "reading", source_writer=writer, source_drive="s1", origin="drive"))


@visit("copy-bringing", "plant")
def bringing(world: World) -> Any:
    other = Writer.objects.exclude(pk=world.plant.writer.pk).order_by("pk")[0]
    return shown(copy_in(world.plant.writer, "bringing", source_writer=other, source_drive="d4", origin="drive"))


@visit("copy-sending", "plant")
def sending(world: World) -> Any:
    return shown(copy_in(world.plant.writer, "sending"))


@visit("copy-writing", "plant")
def writing(world: World) -> Any:
    return shown(copy_in(world.plant.writer, "writing", discs=("good", "started", "planned", "planned")))


@visit("copy-by-hand", "plant")
def by_hand(world: World) -> Any:
    """One disc is to be taken out and marked, and for another a blank is wanted."""
    copy = copy_in(unit(world), "writing", discs=("good", "planned"))
    for disc, wants in zip(Disc.objects.filter(write__copy_part__copy=copy), ("take-out", "blank"), strict=True):
        drive = Drive.objects.filter(writer=copy.writer, ident=disc.drive)
        drive.update(feed="hand", wants=wants, wants_since=timezone.now(), serial=disc.serial)
    return shown(copy)


@visit("copy-many-discs", "plant")
def many_discs(world: World) -> Any:
    return shown(copy_in(world.plant.writer, "writing", discs=("good",) * 20 + ("planned",) * 10))


@visit("copy-cancelling", "plant")
def cancelling(world: World) -> Any:
    return shown(copy_in(world.plant.writer, "writing", discs=("started", "cancelled"), cancelled_by="user:2 bert"))


@visit("copy-of-a-silent-writer", "plant")
def of_a_silent_writer(world: World) -> Any:
    Writer.objects.filter(pk=world.plant.writer.pk).update(last_seen=timezone.now() - dt.timedelta(minutes=20))
    return shown(copy_in(world.plant.writer, "writing", discs=("good", "started", "planned")))


@visit("copy-to-be-given-up", "plant")
def to_be_given_up(world: World) -> Any:
    Writer.objects.filter(pk=world.plant.writer.pk).update(state="offline")
    return shown(copy_in(world.plant.writer, "writing", discs=("started",), cancelled_by=ANNA))


@visit("copy-done", "plant")
def done(world: World) -> Any:
    return shown(copy_in(world.plant.writer, "done", discs=("good", "good")))


@visit("copy-seen", "plant")
def seen(world: World) -> Any:
    copy = copy_in(world.plant.writer, "done", discs=("good", "good"))
    return staff().post(copy.get_absolute_url() + "seen/", follow=True)


@visit("copy-failed", "plant")
def failed(world: World) -> Any:
    return shown(copy_in(world.plant.writer, "failed", discs=("good", "bad")))


@visit("copy-unknown", "plant")
def unknown(world: World) -> Any:
    return shown(copy_in(world.plant.writer, "unknown", discs=("good", "unknown")))


@visit("copy-cancelled", "plant")
def cancelled(world: World) -> Any:
    return shown(copy_in(world.plant.writer, "cancelled", discs=("good", "cancelled")))


@visit("copy-now", "plant", around=FRAGMENT)
def now(world: World) -> Any:
    return shown(copy_in(world.plant.writer, "writing", discs=("good", "started")), "now/")


@visit("copy-missing", "plant", status=404)
def missing(world: World) -> Any:
    return look(f"copies/{UUID(int=1)}/")
