"""Every page of the admin, made from what is registered there. A part of the list in `pages.py`."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from devices import enrolment
from devices.models import BlankBin, Drive, DriveOrder, ImageRequest, Read, Sighting, Trouble, Writer
from fulfillment import choosing, operators
from fulfillment.models import (
    Calendar,
    Carrier,
    ImageFetch,
    Job,
    LearnedRate,
    Paper,
    PickUp,
    Service,
    Shipment,
    TransitTime,
)
from storefront.models import Alert, MoneyDifference, Product, ProviderEvent
from tests.copies import copy_in, upload_in
from tests.gates.pages import World, furnishing, visit
from tests.gates.pages_orders import paid_back_order, ship
from tests.scene import make_image, make_title

KINDS = ("changelist", "add", "change", "delete", "history")


@furnishing("admin")
@furnishing("assets")
def rows_of_everything(world: World) -> None:
    """At least one row of every model, by the ways on which rows come."""
    staff = User.objects.create_superuser("anna", "anna@example.com", "disc-disc-disc")
    Group.objects.create(name="Packers").user_set.add(staff)
    ship(world)
    world.order(world.customer(), 2)
    world.plant.turn()
    Paper.objects.filter(kind=Paper.Kind.DISC_FACE).update(state="failed", reason="No font has this letter.")
    Writer.objects.update(reasons=[{"keyword": "media-low", "text": "Bin 1 is nearly empty.", "since": ""}])
    world.customer().post("/admin/login/", {"username": "carl", "password": "guessed"})
    ProviderEvent.objects.create(event="evt_1", kind="charge.refunded", outcome="unmatched", received_at=timezone.now())
    client = signed_in()
    bin_, _ = BlankBin.objects.get_or_create(writer=world.plant.writer, format="cd", kind="CD-R", bin="Bin 9")
    loaded = client.post("/admin/devices/blankentry/add/", {"bin": bin_.pk, "change": 50, "why": "a new spindle"})
    assert loaded.status_code == 302, "the blanks were not taken"
    make_image("image-without-a-title")
    now = timezone.now()
    paid_back_order(world)
    MoneyDifference.objects.create(kind="unmatched", source="evt_1", amount_minor=990, currency="EUR", found_at=now)
    Alert.objects.create(kind="mail-failed", key="1", text="A mail could not be sent.", opened_at=now)
    times = {"first_at": now, "last_at": now, "next_try_at": now, "set_aside_at": now}
    Trouble.objects.create(step="fulfillment.read-write", row="1", name="A write", tries=3, reason="KeyError", **times)
    copy = copy_in(world.plant.writer, "failed", discs=("good", "bad"))
    ImageFetch.objects.create(
        writer=copy.writer, sha256="ab" * 32, size=1, layout="iso", next_try_at=now, created_at=now
    )
    LearnedRate.objects.create(writer=copy.writer, drive="d1", kind="speed", format="cd", samples=12, learned_at=now)
    upload_in("receiving", "A film")
    client.post("/admin/fulfillment/policychoice/add/", {"name": "earliest-due", "why": "Christmas is near."})
    rows_of_the_fleet(world.plant.writer)
    world.customer().post("/admin/login/", {"username": "nobody", "password": "disc"})
    carrier = f"/admin/fulfillment/carrier/{Carrier.objects.latest('id').pk}/change/"
    assert client.post(carrier, {"name": "Post and Sons", **no_rows("special_days")}).status_code == 302


def no_rows(*inlines: str) -> dict[str, int]:
    return {f"{each}-{count}": 0 for each in inlines for count in ("TOTAL_FORMS", "INITIAL_FORMS")}


def rows_of_the_fleet(writer: Writer) -> None:
    """What agents are asked for, and who is on the way in."""
    now = timezone.now()
    Drive.objects.filter(writer=writer, ident="d1").update(discs=1200, warn_discs=1000, held_by="user:1 anna")
    asked = {"writer": writer, "asked_by": "user:1 anna"}
    Read.objects.create(uuid=uuid4(), drive="s1", queued_at=now, changed_at=now, **asked)
    ImageRequest.objects.create(
        wish="drop", sha256="ab" * 32, size=4096, layout="iso", title="A film", asked_at=now, **asked
    )
    DriveOrder.objects.create(drive="d1", verb="eject", asked_at=now, state="failed", reason="No such drive.", **asked)
    enrolment.new_code(who="user:1 anna", now=now, name="Writer 9")
    times = {"first_seen": now, "last_seen": now}
    Sighting.objects.create(address="http://127.0.0.1:9101", name="Back room", kind="xorriso", by="mdns", **times)


def signed_in() -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.get(username="anna"))
    return client


def open_model(model: type[Model], kind: str) -> Any:
    meta = model._meta
    arguments = [] if kind in {"changelist", "add"} else [model._default_manager.latest("pk").pk]
    return signed_in().get(reverse(f"admin:{meta.app_label}_{meta.model_name}_{kind}", args=arguments))


def expected_status(model: type[Model], kind: str) -> int:
    """200, or 403 where the admin class refuses it to a superuser as well."""
    model_admin = admin.site._registry[model]
    request = RequestFactory().get("/")
    request.user = User(is_superuser=True)
    asked = {"add": model_admin.has_add_permission, "delete": model_admin.has_delete_permission}
    return 200 if kind not in asked or asked[kind](request) else 403


def _list_model(model: type[Model], kind: str) -> None:
    name = f"admin-{model._meta.label_lower.replace('.', '-')}-{kind}"
    visit(name, "admin", status=expected_status(model, kind))(lambda world: open_model(model, kind))


for _model in admin.site._registry:
    for _kind in KINDS:
        _list_model(_model, _kind)


@visit("admin-login", "admin")
def login(world: World) -> Any:
    return world.customer().get("/admin/login/")


@visit("admin-login-wrong", "admin")
def login_wrong(world: World) -> Any:
    return world.customer().post("/admin/login/", {"username": "anna", "password": "disc"})


@visit("admin-login-empty", "admin")
def login_empty(world: World) -> Any:
    return world.customer().post("/admin/login/", {})


@visit("admin-login-no-staff", "admin")
def login_no_staff(world: World) -> Any:
    client = world.customer()
    client.force_login(User.objects.create_user("bert"))
    return client.get("/admin/", follow=True)


@visit("admin-login-locked", "admin", status=429)
def login_locked(world: World) -> Any:
    client = world.customer()
    for _ in range(settings.AXES_FAILURE_LIMIT):
        answer = client.post("/admin/login/", {"username": "anna", "password": "disc"})
    return answer


@visit("admin-logged-out", "admin")
def logged_out(world: World) -> Any:
    return signed_in().post("/admin/logout/")


@visit("admin-password", "admin")
def password(world: World) -> Any:
    return signed_in().get("/admin/password_change/")


@visit("admin-password-errors", "admin")
def password_errors(world: World) -> Any:
    wrong = {"old_password": "disc", "new_password1": "anna", "new_password2": "bert"}
    return signed_in().post("/admin/password_change/", wrong)


@visit("admin-password-changed", "admin")
def password_changed(world: World) -> Any:
    return signed_in().get("/admin/password_change/done/")


@visit("admin-user-password", "admin")
def user_password(world: World) -> Any:
    return signed_in().get(reverse("admin:auth_user_password_change", args=[User.objects.get().pk]))


@visit("admin-index", "admin")
def index(world: World) -> Any:
    return signed_in().get("/admin/")


@visit("admin-app", "admin")
def app(world: World) -> Any:
    return signed_in().get("/admin/devices/")


@visit("admin-unknown", "admin", status=404)
def unknown(world: World) -> Any:
    return signed_in().get("/admin/nothing/here/")


@visit("admin-found-nothing", "admin")
def found_nothing(world: World) -> Any:
    return signed_in().get("/admin/storefront/order/", {"q": "nothing like it", "state__exact": "paid"})


@visit("admin-add-errors", "admin")
def add_errors(world: World) -> Any:
    return signed_in().post("/admin/storefront/product/add/", {"price_minor": "-1"})


@visit("admin-change-errors", "admin")
def change_errors(world: World) -> Any:
    url = reverse("admin:devices_writer_change", args=[world.plant.writer.pk])
    inlines = no_rows("drives", "printers", "bins", "images")
    return signed_in().post(url, {"name": "", "address": "http://169.254.169.254/", **inlines})


@visit("admin-learned-rate-errors", "admin")
def learned_rate_errors(world: World) -> Any:
    url = reverse("admin:fulfillment_learnedrate_change", args=[LearnedRate.objects.latest("pk").pk])
    return signed_in().post(url, {"fixed": "0", "fixed_why": ""})


@visit("admin-calendar-errors", "admin")
def calendar_errors(world: World) -> Any:
    url = reverse("admin:fulfillment_calendar_change", args=[Calendar.objects.latest("id").pk])
    forms = {"special_days-TOTAL_FORMS": 1, "special_days-INITIAL_FORMS": 0, "special_days-0-name": "New Year"}
    return signed_in().post(url, {"name": "", "opens": "late", **forms})


@visit("admin-calendar-empty", "admin")
def calendar_empty(world: World) -> Any:
    Calendar.objects.update(working_days="")
    return signed_in().get(reverse("admin:fulfillment_calendar_change", args=[Calendar.objects.latest("id").pk]))


@visit("admin-calendar-special-days", "admin")
def calendar_special_days(world: World) -> Any:
    calendar = Calendar.objects.latest("id")
    calendar.special_days.create(date=dt.date(2026, 12, 24), name="Christmas Eve")
    calendar.special_days.create(date=dt.date(2026, 12, 26), name="A rush", works=True)
    return signed_in().get(reverse("admin:fulfillment_calendar_change", args=[calendar.pk]))


@visit("admin-service-errors", "admin")
def service_errors(world: World) -> Any:
    url = reverse("admin:fulfillment_service_change", args=[Service.objects.get(key="standard").pk])
    forms = {"pick_ups-TOTAL_FORMS": 7, "transit_times-TOTAL_FORMS": 2, "pick_ups-0-cut_off": "23:00"}
    forms |= {"pick_ups-INITIAL_FORMS": 0, "transit_times-INITIAL_FORMS": 0, "pick_ups-0-weekday": "1"}
    forms |= {"transit_times-0-usual_days": "5", "transit_times-0-most_days": "2"}
    forms |= {"transit_times-0-usual_percent": "90", "transit_times-0-most_percent": "99"}
    return signed_in().post(url, {"name": "", **forms, "transit_times-1-country": "FR"})


@visit("admin-service-nowhere", "admin")
def service_nowhere(world: World) -> Any:
    """It has no transit times."""
    TransitTime.objects.all().delete()
    return signed_in().get(reverse("admin:fulfillment_service_change", args=[Service.objects.get(key="express").pk]))


@visit("admin-services-undated", "admin")
def services_undated(world: World) -> Any:
    """One is never collected, the other goes nowhere."""
    PickUp.objects.filter(service__key="standard").delete()
    TransitTime.objects.filter(service__key="express").delete()
    return signed_in().get("/admin/fulfillment/service/")


@visit("admin-popup", "admin")
def popup(world: World) -> Any:
    return signed_in().get("/admin/fulfillment/carrier/add/", {"_popup": "1"})


@visit("admin-delete-selected", "admin")
def delete_selected(world: World) -> Any:
    chosen = make_title("P-9").pk
    return act("storefront/product", "delete_selected", chosen)


@visit("admin-delete-protected", "admin")
def delete_protected(world: World) -> Any:
    return act("fulfillment/carrier", "delete_selected", *Carrier.objects.values_list("pk", flat=True))


@visit("admin-action-done", "admin")
def action_done(world: World) -> Any:
    return act("fulfillment/job", "hold", Job.objects.latest("received_at").pk, why="The customer called.")


@visit("admin-action-without-why", "admin")
def action_without_why(world: World) -> Any:
    return act("fulfillment/job", "hold", Job.objects.latest("received_at").pk)


@visit("admin-job-put-first", "admin")
def job_put_first(world: World) -> Any:
    """From its page, to which it leads back."""
    return act("fulfillment/job", "put_first", Job.objects.latest("received_at").pk, from_page="yes")


@visit("admin-job-held", "admin")
def job_held(world: World) -> Any:
    job = Job.objects.latest("received_at")
    act("fulfillment/job", "hold", job.pk, why="The customer called.")
    return signed_in().get(f"/admin/fulfillment/job/{job.pk}/change/")


@visit("admin-policy-errors", "admin")
def policy_errors(world: World) -> Any:
    return signed_in().post("/admin/fulfillment/policychoice/add/", {"name": "own", "path": "nowhere.Policy"})


@visit("admin-policy-failed", "admin")
def policy_failed(world: World) -> Any:
    choosing.note_failure(choosing.newest(), "ZeroDivisionError: division by zero", timezone.now())
    return signed_in().get("/admin/fulfillment/policychoice/")


@visit("admin-action-refused", "admin")
def action_refused(world: World) -> Any:
    return act("fulfillment/shipment", "pack", *Shipment.objects.values_list("pk", flat=True))


@visit("admin-action-nothing-chosen", "admin")
def action_nothing_chosen(world: World) -> Any:
    return act("devices/writer", "drain")


@visit("admin-writer-halted", "admin")
def writer_halted(world: World) -> Any:
    act("devices/writer", "drain", world.plant.writer.pk)
    operators.hold(Job.objects.latest("received_at"), "user:1 Anna", timezone.now())
    Product.objects.update(active=False)
    return signed_in().get("/admin/devices/writer/")


def act(rows: str, action: str, *chosen: object, **also: str) -> Any:
    return signed_in().post(f"/admin/{rows}/", {"action": action, "_selected_action": chosen} | also, follow=True)


@visit("admin-jsi18n", "assets")
def jsi18n(world: World) -> Any:
    """The words of the admin's scripts."""
    return signed_in().get("/admin/jsi18n/")
