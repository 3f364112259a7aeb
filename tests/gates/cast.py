"""The roles of the access matrix, each with what it holds, and rows that the addresses of all of them name."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from archive import storage
from archive.models import Upload, UploadFile
from devices import enrolment
from devices.models import CachedImage, EnrolmentCode, Trouble, Write
from fulfillment.models import Copy, Paper
from storefront.models import Alert, MoneyDifference, Order, Refund
from tests.gates.pages import World, taken_back
from tests.scene import Plant, make_image
from tests.storefront.shopping import enter, put


@dataclass(slots=True)
class Cast:
    """The roles, each with what it holds."""

    world: World
    order: Order
    write: Write
    second: Plant
    product: Any
    clients: dict[str, Client] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)

    def ask(self, role: str, method: str, url: str) -> Any:
        """The answer; whatever it changed is taken back, a log-out too."""
        client = self.clients[role]
        cookies = copy.deepcopy(client.cookies)
        form = {"product": self.product.pk, "copies": 1} if "/cart/" in url else None
        with taken_back():
            response = getattr(client, method.lower())(url, form, headers=self.headers.get(role, {}))
            client.cookies = cookies
            if response.streaming:  # `close` would end the connection to the database as well
                response.getvalue()
                for close_file in response._resource_closers:
                    close_file()
            return response

    def arguments(self, name: str, pattern: str) -> dict[str, Any]:
        """Customer A's, writer 1's, and an existing row's."""
        model = re.match(r"admin/([a-z]+)/([a-z]+)/", pattern)
        rows = apps.get_model(model[1], model[2])._default_manager if model else None
        known = {
            "token": self.order.token,
            "part_number": self.product.title.part_number,
            "product_id": self.product.pk,
            "writer_uuid": self.world.plant.writer.uuid,
            "sha256": self.write.image_sha256,
            "pk": Paper.objects.filter(path__gt="").latest("pk").pk,
            "drive_pk": self.world.plant.writer.drives.latest("pk").pk,
            "bin_pk": self.world.plant.writer.bins.latest("pk").pk,
            "copy_pk": Copy.objects.latest("asked_at").pk,
            "upload_pk": Upload.objects.latest("created_at").pk,
            "file_pk": UploadFile.objects.latest("pk").pk,
            "code_pk": EnrolmentCode.objects.latest("pk").pk,
            "app_label": "devices",
            "url": "nothing/here/",
        }
        for key in ("object_id", "id"):
            known[key] = getattr(rows.last(), "pk", 1) if rows else ""
        return {key: known[key] for key in re.findall(r"<(?:\w+:)?(\w+)>", pattern)}


def make_cast(world: World, second: Plant) -> Cast:
    customers = {f"customer {letter}": world.customer() for letter in "AB"}
    order = world.order(customers["customer A"])
    world.order(customers["customer B"])
    what_went_wrong(order)
    for customer in customers.values():  # with something in the cart, and an address
        put(customer, world.products[0])
        enter(customer)
    world.plant.turn()
    write = Write.objects.filter(writer=world.plant.writer, state__in=["queued", "sent", "accepted"]).latest("pk")
    write.image_sha256 = str(make_image("wanted by writer 1 alone").sha256)
    write.save(update_fields=["image_sha256"])
    path = storage.path_by_digest(write.image_sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"image")
    cached = {"sha256": write.image_sha256, "layout": "iso", "size": write.image_size, "state": "ready"}
    CachedImage.objects.create(writer=write.writer, **cached)
    enrolment.new_code(who="test", now=timezone.now())
    Paper.objects.update(state="printed", path=str(path))
    made = Cast(world, order, write, second, world.products[0], customers)
    for role, plant in (("writer 1", world.plant), ("writer 2", second)):
        made.clients[role] = Client()
        made.headers[role] = {"Authorization": f"Bearer {plant.new.report_token}"}
    made.clients["anonymous"] = Client()
    people = {
        "account": User.objects.create_user("dora"),
        "operator without rights": User.objects.create_user("emil", is_staff=True),
        "operator": User.objects.create_user("fritz", is_staff=True),
        "superuser": User.objects.get(username="anna"),
    }
    people["operator"].user_permissions.set(Permission.objects.exclude(content_type__app_label="auth"))
    for role, user in people.items():
        made.clients[role] = Client()
        made.clients[role].force_login(user)
    return made


def what_went_wrong(order: Order) -> None:
    """Rows that only trouble makes."""
    now = timezone.now()
    payment = order.payments.get()
    money = {"amount_minor": 990, "currency": "EUR", "session": "cs_other"}
    MoneyDifference.objects.create(kind="unmatched", source="cs_other", why="No such order.", found_at=now, **money)
    Refund.objects.create(payment=payment, key="refund-1", next_try_at=now, created_at=now, **money)
    Alert.objects.create(kind="test", key="1", text="Look at it.", opened_at=now)
    times = {"first_at": now, "last_at": now, "next_try_at": now}
    Trouble.objects.create(step="test", row="1", name="a row", tries=3, reason="It failed.", **times)


def url_of(cast: Cast, name: str, pattern: str) -> str:
    values = cast.arguments(name, pattern)
    if name == "admin:app_list":
        return reverse(name, kwargs=values)
    if name == "admin:autocomplete":
        return "/admin/autocomplete/?app_label=storefront&model_name=product&field_name=title"
    if name == "admin:":  # unnamed: the old form of a row's address, and what is nowhere
        return f"/admin/{values['url']}" if "url" in values else "/admin/nothing/here/"
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(values[found[1]]), pattern)
