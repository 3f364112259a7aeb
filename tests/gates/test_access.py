"""Who may pass which address: one matrix over the whole URLconf, roles and methods.

A new address fails until it is put into the table, and so does a new model in the admin.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone
from pytest_django import Settings
from pytest_django.plugin import DjangoDbBlocker

from archive import storage
from devices.models import Trouble, Write
from devices.testing import FakeAgent
from fulfillment.models import Paper
from storefront.models import Alert, MoneyDifference, Order, Refund
from tests.gates.pages import World, running_world, taken_back
from tests.gates.pages_admin import rows_of_everything
from tests.scene import Plant, make_image, running_plant
from tests.storefront.shopping import enter, put

pytestmark = pytest.mark.django_db

# What an answer means. «in»: the view did its work, if only to say what is wrong with the input.
IN, LOGIN, FORBIDDEN, MISSING, METHOD, TOKEN = "in", "log in", "403", "404", "405", "401"

PUBLIC: Final = ("anonymous", "customer A", "customer B", "account", "writer 1", "writer 2")
STAFF: Final = ("operator without rights", "operator", "superuser")
ROLES: Final = (*PUBLIC, *STAFF)

Row = dict[str, dict[str, str]]  # method → role → what must come


def everybody(get: str, post: str, **special: str) -> Row:
    """`special`: GET_writer_1="in" and the like, for one role."""
    row = {"GET": dict.fromkeys(ROLES, get), "POST": dict.fromkeys(ROLES, post)}
    for name, outcome in special.items():
        method, _, role = name.partition("_")
        row[method][role.replace("_", " ")] = outcome
    return row


def staff(get: tuple[str, str, str], post: tuple[str, str, str]) -> Row:
    """Of operator without rights, operator, superuser; everybody else is asked to log in."""
    row = everybody(LOGIN, LOGIN)
    row["GET"] |= zip(STAFF, get, strict=True)
    row["POST"] |= zip(STAFF, post, strict=True)
    return row


PAGE: Final = everybody(IN, METHOD)
VERB: Final = everybody(METHOD, IN)
FORM: Final = everybody(IN, IN)
SCHEMA: Final = {
    method: dict.fromkeys(PUBLIC, FORBIDDEN) | dict.fromkeys(STAFF, passed)
    for method, passed in (("GET", IN), ("POST", METHOD))
}
TABLE: Final[dict[str, Row]] = {
    "alive": PAGE,
    "ready": PAGE,
    "metrics": everybody(MISSING, METHOD),  # there is none without a token of its own; else a token opens it
    "shop": PAGE,
    "title": PAGE,
    "title-dates": PAGE,
    "cart": PAGE,
    "cart-add": VERB,
    "cart-change": VERB,
    "cart-remove": VERB,
    "checkout": FORM,
    "checkout-options": PAGE,
    "review": PAGE,
    "pay": VERB,
    "checkout-cancelled": PAGE,
    "paid": PAGE,
    "order-cancel": FORM,
    "order": PAGE,  # the address is the key; see below for one that does not fit
    "order-progress": PAGE,
    "stripe-webhook": VERB,  # its signature is its key
    "writer-file": everybody(TOKEN, TOKEN, GET_writer_1=IN, POST_writer_1=METHOD),
    "devices:report": everybody(TOKEN, TOKEN, GET_writer_1=METHOD, POST_writer_1=IN),
    "schema": SCHEMA,
    "admin:index": staff((IN, IN, IN), (IN, IN, IN)),
    "admin:login": FORM,
    "admin:logout": everybody(IN, IN) | {"GET": dict.fromkeys(PUBLIC, IN) | dict.fromkeys(STAFF, METHOD)},
    "admin:password_change": staff((IN, IN, IN), (IN, IN, IN)),
    "admin:password_change_done": staff((IN, IN, IN), (METHOD, METHOD, METHOD)),
    "admin:autocomplete": staff((FORBIDDEN, IN, IN), (METHOD, METHOD, METHOD)),
    "admin:jsi18n": staff((IN, IN, IN), (METHOD, METHOD, METHOD)),
    "admin:app_list": staff((MISSING, IN, IN), (MISSING, IN, IN)),
    "admin:": staff((MISSING, MISSING, MISSING), (MISSING, MISSING, MISSING)),  # what there is not
    "admin:fulfillment_paper_file": staff((FORBIDDEN, IN, IN), (FORBIDDEN, IN, IN)),
    "admin:auth_user_password_change": staff((FORBIDDEN, FORBIDDEN, IN), (FORBIDDEN, FORBIDDEN, IN)),
}

# What may be done in the admin with rows of a model, by those who have the rights: of `add`, `change`, `delete`.
# «operator» has all rights on all of Spindle's own models, and none on users and groups.
ADMIN: Final[dict[str, set[str]]] = {
    "archive_image": set(),
    "archive_title": {"change"},
    "auth_group": {"add", "change", "delete"},
    "auth_user": {"add", "change", "delete"},
    "axes_accessattempt": {"delete"},
    "devices_blankbin": {"change"},
    "devices_blankentry": {"add"},
    "devices_deviceevent": set(),
    "devices_trouble": {"change"},
    "devices_disc": {"change"},
    "devices_write": {"change"},
    "devices_writer": {"change"},
    "fulfillment_calendar": {"add", "change"},
    "fulfillment_carrier": {"add", "change", "delete"},
    "fulfillment_job": set(),
    "fulfillment_paper": set(),
    "fulfillment_planrun": set(),
    "fulfillment_service": {"add", "change", "delete"},
    "fulfillment_shipment": {"change"},
    "storefront_alert": set(),
    "storefront_mail": set(),
    "storefront_moneydifference": set(),
    "storefront_order": set(),
    "storefront_payment": set(),
    "storefront_product": {"add", "change", "delete"},
    "storefront_providerevent": set(),
    "storefront_refund": set(),
}


def expected(name: str) -> Row:
    """Raises LookupError for an address that nobody has classified."""
    if name in TABLE:
        return TABLE[name]
    found = re.fullmatch(r"admin:([a-z]+_[a-z]+)_(changelist|add|change|delete|history)", name)
    if found is None or found[1] not in ADMIN:
        raise LookupError(f"{name} is not classified: say in {__name__} who may pass it.")
    model, verb = found[1], found[2]
    operator = FORBIDDEN if model.startswith("auth_") else IN
    if verb in {"changelist", "history"}:
        return staff((FORBIDDEN, operator, IN), (FORBIDDEN, operator, IN))
    may = verb in ADMIN[model]
    get = post = (FORBIDDEN, operator, IN) if may else (FORBIDDEN, FORBIDDEN, FORBIDDEN)
    if verb == "change":  # rows that can't be changed can still be looked at
        get = (FORBIDDEN, operator, IN)
    return staff(get, post)


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
            "app_label": "devices",
            "url": "nothing/here/",
        }
        for key in ("object_id", "id"):
            known[key] = getattr(rows.last(), "pk", 1) if rows else ""
        return {key: known[key] for key in re.findall(r"<(?:\w+:)?(\w+)>", pattern)}


@pytest.fixture(scope="module")
def cast(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cast]:
    folder = tmp_path_factory.mktemp("access")
    with django_db_blocker.unblock(), taken_back(), running_world(folder) as world:
        rows_of_everything(world)
        with running_plant("Writer 2") as second:
            yield make_cast(world, second)


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


def addresses(resolver: URLResolver, before: str = "", space: str = "") -> Iterator[tuple[str, str]]:
    """(name, pattern) of everything that can be resolved."""
    for each in resolver.url_patterns:
        pattern = before + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from addresses(each, pattern, f"{space}{each.namespace}:" if each.namespace else space)
        elif isinstance(each, URLPattern):
            yield f"{space}{each.name or ''}", pattern


EVERY: Final = sorted(set(addresses(get_resolver())))


def url_of(cast: Cast, name: str, pattern: str) -> str:
    values = cast.arguments(name, pattern)
    if name == "admin:app_list":
        return reverse(name, kwargs=values)
    if name == "admin:autocomplete":
        return "/admin/autocomplete/?app_label=storefront&model_name=product&field_name=title"
    if name == "admin:":  # unnamed: the old form of a row's address, and what is nowhere
        return f"/admin/{values['url']}" if "url" in values else "/admin/nothing/here/"
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(values[found[1]]), pattern)


def outcome(response: Any) -> str:
    status = response.status_code
    if status in {301, 302} and response["Location"].startswith("/admin/login/"):
        return LOGIN
    assert status < 500, response.content
    return {401: TOKEN, 403: FORBIDDEN, 404: MISSING, 405: METHOD}.get(status, IN)


def test_every_address_of_the_shop_is_classified() -> None:
    unknown = []
    for name, _ in EVERY:
        try:
            expected(name)
        except LookupError as missing:
            unknown.append(str(missing))
    assert unknown == []


def test_the_table_has_no_address_that_is_gone() -> None:
    names = {name for name, _ in EVERY}
    assert set(TABLE) - names == set()
    assert {f"admin:{model}_changelist" for model in ADMIN} - names == set()


@pytest.mark.parametrize("role", ROLES)
def test_each_role_passes_where_it_may_and_nowhere_else(cast: Cast, role: str, settings: Settings) -> None:
    settings.SPINDLE_METRICS_TOKEN = ""
    wrong = []
    for name, pattern in EVERY:
        url = url_of(cast, name, pattern)
        for method in ("GET", "POST"):
            wanted = expected(name)[method][role]
            response = cast.ask(role, method, url)
            if outcome(response) != wanted:
                wrong.append(f"{method} {url} ({name}): {response.status_code} is not «{wanted}»")
    assert wrong == [], "\n".join(wrong)


# -- objects ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_a_token_that_does_not_fit_is_404_for_everybody(cast: Cast, role: str) -> None:
    token = cast.order.token
    other = token[:-1] + ("0" if token[-1] != "0" else "1")
    for wrong in (other, token[:-1], cast.order.number, str(cast.order.pk), token.swapcase()):
        for page in ("", "progress/"):
            assert cast.ask(role, "GET", f"/orders/{wrong}/{page}").status_code == 404


def test_number_and_mail_of_an_order_open_nothing(cast: Cast) -> None:
    """The private address is in no page but the order's own."""
    for url in ("/", "/cart/", "/checkout/", "/checkout/review/"):
        body = cast.ask("customer B", "GET", url).content.decode()
        assert cast.order.token not in body
        assert cast.order.number not in body


def test_a_writer_has_only_the_files_of_its_own_writes(cast: Cast) -> None:
    def ask(role: str, plant: Plant) -> Any:
        return cast.ask(role, "GET", f"/api/v1/writers/{plant.writer.uuid}/files/{cast.write.image_sha256}")

    assert ask("writer 1", cast.world.plant).status_code == 200
    assert ask("writer 2", cast.world.plant).status_code == 401
    assert ask("writer 1", cast.second).status_code == 401
    foreign = ask("writer 2", cast.second)
    assert (foreign.status_code, foreign.json()["type"]) == (404, "not-found")
    unknown = cast.ask("writer 2", "GET", f"/api/v1/writers/{cast.second.writer.uuid}/files/{'0' * 64}")
    assert unknown.json()["title"] == foreign.json()["title"]
    assert unknown.json()["detail"] == foreign.json()["detail"]


def test_a_writer_reports_for_itself_alone(cast: Cast) -> None:
    """Its own token and address, but the state of another: refused, and nothing of it is booked."""
    agent: FakeAgent = cast.world.plant.agent
    seen = cast.world.plant.writer.last_seen
    with taken_back():
        answer = cast.clients["writer 2"].post(
            f"/api/v1/writers/{cast.second.writer.uuid}/report",
            agent.state().model_dump_json(),
            content_type="application/json",
            headers=cast.headers["writer 2"],
        )
        assert (answer.status_code, answer.json()["field"]) == (422, "writer")
        assert cast.world.plant.writer.last_seen == seen


def test_a_paper_with_an_address_needs_the_right_to_see_papers(cast: Cast) -> None:
    paper = Paper.objects.filter(path__gt="").latest("pk")
    url = reverse("admin:fulfillment_paper_file", args=[paper.pk])
    assert "private" in cast.ask("operator", "GET", url)["Cache-Control"]
    assert cast.ask("operator", "GET", url.replace(str(paper.pk), "999999")).status_code == 404


def test_customers_pages_are_not_led_to_by_ids_of_rows(cast: Cast) -> None:
    """Django's own shortcut from a row to its page asks for no right; it is not there."""
    kind = apps.get_model("contenttypes", "ContentType").objects.get_for_model(Order)
    answer = cast.ask("operator without rights", "GET", f"/admin/r/{kind.pk}/{cast.order.pk}/")
    assert answer.status_code == 404
    page = cast.ask("operator", "GET", f"/admin/storefront/order/{cast.order.pk}/change/")
    assert cast.order.get_absolute_url() in page.content.decode()
