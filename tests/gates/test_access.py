"""Who may pass which address: one matrix over the whole URLconf, roles and methods.

A new address fails until it is put into the table, and so does a new model in the admin.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from django.apps import apps
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from pytest_django import Settings
from pytest_django.plugin import DjangoDbBlocker

from devices.testing import FakeAgent
from fulfillment.models import Paper
from storefront.models import Order
from tests.gates.cast import Cast, make_cast, url_of
from tests.gates.pages import running_world, taken_back
from tests.gates.pages_admin import rows_of_everything
from tests.scene import Plant, running_plant

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
LOOK: Final = staff((FORBIDDEN, IN, IN), (FORBIDDEN, METHOD, METHOD))
ACT: Final = staff((FORBIDDEN, METHOD, METHOD), (FORBIDDEN, IN, IN))
NEITHER: Final = staff((FORBIDDEN, METHOD, METHOD), (FORBIDDEN, METHOD, METHOD))
SCHEMA: Final = {
    method: dict.fromkeys(PUBLIC, FORBIDDEN) | dict.fromkeys(STAFF, passed)
    for method, passed in (("GET", IN), ("POST", METHOD))
}
RESOURCES: Final = {
    method: dict.fromkeys(PUBLIC, FORBIDDEN) | dict(zip(STAFF, (FORBIDDEN, passed, passed), strict=True))
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
    "devices:writers": RESOURCES,
    "devices:writer": RESOURCES,
    "devices:enrol": VERB,  # the code is the key
    "devices:report": everybody(TOKEN, TOKEN, GET_writer_1=METHOD, POST_writer_1=IN),
    "board": LOOK,
    "board-now": LOOK,
    "what-if": LOOK,
    "promises": LOOK,
    "fleet": LOOK,
    "fleet-cards": LOOK,
    "fleet-writer": LOOK,
    "fleet-writer-now": LOOK,
    "fleet-drain": ACT,
    "fleet-maintenance": ACT,
    "fleet-resume": ACT,
    "fleet-drive-drain": ACT,
    "fleet-drive-resume": ACT,
    "fleet-drive-eject": ACT,
    "fleet-drive-loaded": ACT,
    "fleet-drive-taken-out": ACT,
    "fleet-drive-serviced": ACT,
    "fleet-bin-put-in": ACT,
    "fleet-bin-count": ACT,
    "fleet-image-purge": ACT,
    "fleet-add": staff((FORBIDDEN, IN, IN), (FORBIDDEN, IN, IN)),
    "fleet-look": ACT,
    "fleet-came": LOOK,
    "console": LOOK,
    "console-going": LOOK,
    "console-sent": LOOK,
    "console-ended": LOOK,
    "console-start": ACT,
    "console-copy": LOOK,
    "console-copy-now": LOOK,
    "console-cancel": ACT,
    "console-give-up": ACT,
    "console-seen": ACT,
    "uploads": NEITHER,  # they speak tus, by other methods and headers
    "upload-file": NEITHER,
    "upload-begin": ACT,
    "upload-form": ACT,
    "upload-give-up": ACT,
    "upload-again": ACT,
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
    "archive_upload": set(),
    "auth_group": {"add", "change", "delete"},
    "auth_user": {"add", "change", "delete"},
    "axes_accessattempt": {"delete"},
    "devices_blankbin": {"change"},
    "devices_blankentry": {"add"},
    "devices_deviceevent": set(),
    "devices_trouble": {"change"},
    "devices_disc": {"change"},
    "devices_drive": {"change"},
    "devices_driveorder": {"change"},
    "devices_enrolmentcode": set(),
    "devices_imagerequest": {"change"},
    "devices_read": {"change"},
    "devices_sighting": set(),
    "devices_write": {"change"},
    "devices_writer": {"change"},
    "fulfillment_calendar": {"add", "change"},
    "fulfillment_carrier": {"add", "change", "delete"},
    "fulfillment_copy": set(),
    "fulfillment_imagefetch": set(),
    "fulfillment_job": set(),
    "fulfillment_learnedrate": {"change"},
    "fulfillment_paper": set(),
    "fulfillment_planrun": set(),
    "fulfillment_policychoice": {"add"},
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


@pytest.fixture(scope="module")
def cast(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cast]:
    folder = tmp_path_factory.mktemp("access")
    with django_db_blocker.unblock(), taken_back(), running_world(folder) as world:
        rows_of_everything(world)
        with running_plant("Writer 2") as second:
            yield make_cast(world, second)


def addresses(resolver: URLResolver, before: str = "", space: str = "") -> Iterator[tuple[str, str]]:
    """(name, pattern) of everything that can be resolved."""
    for each in resolver.url_patterns:
        pattern = before + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from addresses(each, pattern, f"{space}{each.namespace}:" if each.namespace else space)
        elif isinstance(each, URLPattern):
            yield f"{space}{each.name or ''}", pattern


EVERY: Final = sorted(set(addresses(get_resolver())))


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
