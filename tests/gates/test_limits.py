"""How often and how much: counts that hold over processes, and a page that says when to come back."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.conf import settings as shipped
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client, RequestFactory
from django.urls import get_resolver
from django.utils import timezone
from pytest_django import Settings

from storefront import limits
from storefront.models import Tally
from tests.scene import make_title, running_plant
from tests.storefront.shopping import enter, put

NOW = dt.datetime(2026, 11, 18, 9, 0, 10, tzinfo=dt.UTC)
WEB = "203.0.113.7"


def knock(
    client: Client, url: str = "/checkout/pay/", *, address: str = WEB, method: str = "post", **extra: Any
) -> Any:
    return getattr(client, method)(url, REMOTE_ADDR=address, **extra)


# -- counting --------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_uses_are_counted_until_the_span_ends() -> None:
    assert [limits.take("door", (3, 60), NOW) for _ in range(5)] == [0, 0, 0, 50, 50]
    assert limits.take("other door", (3, 60), NOW) == 0
    assert limits.take("door", (3, 60), NOW + dt.timedelta(seconds=50)) == 0
    assert Tally.objects.get(key="door", ends_at=NOW.replace(second=0, minute=1)).count == 3


@pytest.mark.django_db
def test_counts_are_gone_soon_after_their_span() -> None:
    limits.take("door", (3, 60), NOW)
    limits.take("another", (3, 60), NOW + dt.timedelta(minutes=5))
    assert list(Tally.objects.values_list("key", flat=True)) == ["another"]


@pytest.mark.django_db
def test_a_count_stays_for_requests_that_came_in_the_last_moment_of_its_span() -> None:
    ends = NOW.replace(second=0, minute=1)
    limits.take("door", (3, 60), ends - dt.timedelta(milliseconds=20))
    limits.take("another", (3, 60), ends + dt.timedelta(milliseconds=20))
    assert Tally.objects.get(key="door").count == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_many_at_once_get_exactly_what_the_limit_gives() -> None:
    def ask(_: int) -> int:
        try:
            return limits.take("door", (7, 3600), NOW)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(40)))
    assert answers.count(0) == 7
    assert Tally.objects.get().count == 7


@pytest.mark.django_db
def test_no_address_is_kept(settings: Settings) -> None:
    settings.SPINDLE_LIMITS = {"POST pay": {"address": (5, 600)}}
    knock(Client())
    assert WEB not in Tally.objects.get().key


# -- whose address ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("proxies", "header", "remote", "address"),
    [
        (0, None, "198.51.100.1", "198.51.100.1"),
        (0, "203.0.113.9", "198.51.100.1", "198.51.100.1"),  # no proxy of ours: the visitor wrote it
        (1, "203.0.113.9", "10.0.0.1", "203.0.113.9"),
        (1, "6.6.6.6, 203.0.113.9", "10.0.0.1", "203.0.113.9"),
        (2, "6.6.6.6, 203.0.113.9, 10.0.0.2", "10.0.0.1", "203.0.113.9"),
        (2, "203.0.113.9", "10.0.0.1", "10.0.0.1"),  # came around the outer proxy
        (1, "unknown", "10.0.0.1", "10.0.0.1"),
        (1, "", "10.0.0.1", "10.0.0.1"),
        (1, "::ffff:203.0.113.9", "", "203.0.113.9"),
        (1, None, "", None),  # a unix socket
    ],
)
def test_only_what_our_proxies_append_is_believed(
    settings: Settings, proxies: int, header: str | None, remote: str, address: str | None
) -> None:
    settings.SPINDLE_PROXIES = proxies
    request = RequestFactory().get("/", headers={} if header is None else {"X-Forwarded-For": header})
    request.META["REMOTE_ADDR"] = remote
    assert limits.address_of(request) == address


def test_a_household_is_one_visitor_and_this_machine_is_none() -> None:
    assert limits.crowd("2001:db8:1:2::9") == limits.crowd("2001:db8:1:2:ffff::1") == "2001:db8:1:2::/64"
    assert limits.crowd(WEB) == WEB
    assert limits.crowd("127.0.0.1") is limits.crowd("::1") is None


# -- pages -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_too_often_says_when_to_try_again(settings: Settings) -> None:
    settings.SPINDLE_LIMITS = {"POST pay": {"address": (2, 600)}}
    assert [knock(Client()).status_code for _ in range(3)] == [302, 302, 429]
    answer = knock(Client())
    assert 1 <= int(answer["Retry-After"]) <= 600
    page = " ".join(answer.content.decode().split())
    minutes = -(-int(answer["Retry-After"]) // 60)
    assert f"Try again in {minutes} minute" in page
    assert "Nothing was ordered or charged" in page
    assert knock(Client(), address="203.0.113.8").status_code == 302
    assert knock(Client(), method="get").status_code == 405  # only what costs is counted


@pytest.mark.django_db
@pytest.mark.parametrize("door", ["POST checkout", "POST pay"])
def test_a_session_is_limited_wherever_it_comes_from(settings: Settings, door: str) -> None:
    settings.SPINDLE_LIMITS = {door: {"session": (2, 600)}}
    with running_plant():
        client = Client()
        put(client, make_title())
        url = "/checkout/" if door == "POST checkout" else "/checkout/pay/"
        answers = [knock(client, url, address=f"203.0.113.{number}").status_code for number in range(3)]
        assert answers == ([422, 422, 429] if url == "/checkout/" else [302, 302, 429])
        other = Client()
        put(other, make_title("P-2"))
        assert knock(other, url).status_code != 429


@pytest.mark.django_db
@pytest.mark.parametrize("door", sorted(shipped.SPINDLE_LIMITS))
def test_every_limited_door_is_a_door_and_can_be_closed(settings: Settings, door: str) -> None:
    """A view that is renamed must not lose its limit."""
    settings.SPINDLE_LIMITS = {door: {"address": (0, 600)}}
    product = make_title()
    urls = {
        "cart-add": "/cart/add/",
        "checkout": "/checkout/",
        "pay": "/checkout/pay/",
        "paid": "/checkout/paid/x/",
        "title-dates": f"/titles/{product.title.part_number}/dates/",
        "checkout-options": "/checkout/options/",
        "admin:login": "/admin/login/",
        "order-cancel": f"/orders/{'0' * 32}/cancel/",
    }
    method, _, name = door.partition(" ")
    assert knock(Client(), urls[name], method=method.lower()).status_code == 429


@pytest.mark.django_db
def test_the_limits_that_are_set_let_a_busy_customer_through() -> None:
    client = Client()
    with running_plant():
        put(client, make_title())
        for _ in range(15):
            assert enter(client).status_code == 302
            assert client.post("/checkout/pay/", {"seen": "old"}).status_code == 409


def test_resending_has_no_door() -> None:
    """Order mails are not sent anew on anybody's word: where such a door comes, it needs a limit first."""
    names = {name for name in get_resolver().reverse_dict if isinstance(name, str)}
    assert not [name for name in names if "resend" in name or "find" in name]


# -- log-in ----------------------------------------------------------------------------------------------------


@pytest.fixture
def staff(db: None, settings: Settings) -> User:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the real one is slow on purpose
    return User.objects.create_superuser("anna", "anna@example.com", "disc-disc-disc")


def log_in(password: str, *, name: str = "anna", address: str = WEB) -> Any:
    return knock(Client(), "/admin/login/", address=address, data={"username": name, "password": password})


def test_guessing_locks_the_name_at_that_address_and_says_for_how_long(staff: User, settings: Settings) -> None:
    settings.AXES_FAILURE_LIMIT = 4
    answers = [log_in(f"guess {number}", address=WEB).status_code for number in range(4)]
    assert answers == [200, 200, 200, 429]
    locked = log_in("disc-disc-disc", address=WEB)
    assert (locked.status_code, locked["Retry-After"]) == (429, "900")
    assert "Try again in 15 minutes" in " ".join(locked.content.decode().split())
    assert log_in("disc-disc-disc", address="198.51.100.1").status_code == 302  # its owner, elsewhere
    User.objects.create_superuser("bert", "bert@example.com", "disc-disc-disc")
    assert log_in("disc-disc-disc", name="bert", address=WEB).status_code == 302


def test_a_right_password_starts_the_count_anew(staff: User, settings: Settings) -> None:
    settings.AXES_FAILURE_LIMIT = 3
    for _ in range(3):
        assert [log_in("wrong").status_code, log_in("wrong").status_code] == [200, 200]
        assert log_in("disc-disc-disc").status_code == 302


def test_a_lock_ends_by_itself_whoever_goes_on_guessing(
    staff: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.AXES_FAILURE_LIMIT = 2
    began = timezone.now()
    for minutes, password, status in ((0, "x", 200), (0, "x", 429), (10, "x", 429), (16, "disc-disc-disc", 302)):
        later = began + dt.timedelta(minutes=minutes)
        monkeypatch.setattr("axes.attempts.now", lambda later=later: later)
        monkeypatch.setattr("axes.handlers.proxy.now", lambda later=later: later)
        assert log_in(password).status_code == status, minutes


def test_staff_let_a_locked_colleague_in_again(staff: User, settings: Settings) -> None:
    settings.AXES_FAILURE_LIMIT = 1
    assert log_in("wrong").status_code == 429
    colleague = User.objects.create_user("carl", password="x", is_staff=True)
    colleague.user_permissions.set(Permission.objects.filter(content_type__app_label="axes"))
    client = Client()
    client.force_login(colleague)
    page = client.get("/admin/axes/accessattempt/")
    assert "anna" in page.content.decode()
    rows = [row.pk for row in page.context["cl"].result_list]
    chosen = {"action": "delete_selected", "_selected_action": rows, "post": "yes"}
    assert client.post("/admin/axes/accessattempt/", chosen).status_code == 302
    assert log_in("disc-disc-disc").status_code == 302


def test_one_password_on_many_names_is_stopped_by_address(staff: User, settings: Settings) -> None:
    settings.SPINDLE_LIMITS = {"POST admin:login": {"address": (3, 300)}}
    answers = [log_in("disc-disc-disc", name=f"name {number}").status_code for number in range(4)]
    assert answers == [200, 200, 200, 429]


def test_no_password_stands_in_the_rows_of_failed_log_ins(staff: User) -> None:
    log_in("canary-password")
    attempt = AccessAttempt.objects.get()
    assert "canary-password" not in f"{attempt.post_data}{attempt.get_data}{attempt.username}"


# -- API -------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_writer_that_calls_too_often_waits_and_the_others_do_not(settings: Settings) -> None:
    settings.SPINDLE_WRITER_LIMIT = (2, 60)
    with running_plant("Writer 1") as first, running_plant("Writer 2") as second:

        def report(plant: Any) -> Any:
            body = plant.agent.state().model_dump_json()
            bearer = {"Authorization": f"Bearer {plant.new.report_token}"}
            url = f"/api/v1/writers/{plant.writer.uuid}/report"
            return Client().post(url, body, content_type="application/json", headers=bearer)

        assert [report(first).status_code for _ in range(3)] == [200, 200, 429]
        refused = report(first)
        assert refused["Content-Type"] == "application/problem+json"
        assert refused.json()["type"] == "too-often"
        assert 1 <= int(refused["Retry-After"]) <= 60
        assert report(second).status_code == 200


@pytest.mark.django_db
def test_strangers_wait_by_address_and_hold_up_no_writer(settings: Settings) -> None:
    settings.SPINDLE_STRANGER_LIMIT = (2, 60)
    with running_plant() as plant:
        url = f"/api/v1/writers/{plant.writer.uuid}/report"
        wrong = [knock(Client(), url, headers={"Authorization": "Bearer no"}).status_code for _ in range(3)]
        assert wrong == [401, 401, 429]
        missing = knock(Client(), f"/api/v1/writers/{plant.writer.uuid}/files/{'0' * 64}", method="get")
        assert (missing.status_code, missing.json()["type"]) == (429, "too-often")
        bearer = {"Authorization": f"Bearer {plant.new.report_token}"}
        body = plant.agent.state().model_dump_json()
        assert knock(Client(), url, data=body, content_type="application/json", headers=bearer).status_code == 200
        assert knock(Client(), url, address="203.0.113.8").status_code == 401


# -- how much --------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_webhooks_are_never_too_many_but_may_be_too_long() -> None:
    for _ in range(100):
        answer = knock(Client(), "/stripe/webhook/", data="{}", content_type="application/json")
        assert answer.status_code == 400  # no signature
    long = knock(Client(), "/stripe/webhook/", data="x" * (512 * 1024 + 1), content_type="application/json")
    assert long.status_code == 413


@pytest.mark.django_db
@pytest.mark.parametrize("url", ["/cart/add/", "/admin/login/"])
def test_a_huge_form_is_refused(url: str) -> None:
    assert Client().post(url, {"name": "x" * 3_000_000}).status_code == 400
    assert Client().post(url, {f"f{number}": "" for number in range(1100)}).status_code == 400


@pytest.mark.django_db
@pytest.mark.parametrize("copies", ["0", "-1", "1001", "1000000000", "9" * 5000, "1e9", "NaN", "٣", "1\0"])
def test_copies_out_of_bounds_never_reach_the_cart(copies: str) -> None:
    client = Client()
    with running_plant():
        answer = put(client, make_title(), copies)
    assert answer.status_code == (302 if copies == "٣" else 422)
    assert sum(client.session.get("cart", {}).values()) == (3 if copies == "٣" else 0)


@pytest.mark.django_db
def test_a_cart_holds_fifty_titles() -> None:
    client = Client()
    with running_plant():
        for number in range(51):
            assert put(client, make_title(f"P-{number}")).status_code == 302
    assert len(client.session["cart"]) == 50


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["x" * 100_000, "a " * 5_000, "%" * 500, "\0", "'; --", "[[[(((", "\ud800"])
def test_any_search_is_answered(query: str) -> None:
    make_title()
    assert Client().get("/", {"q": query.encode("utf-8", "surrogatepass").decode("latin-1")}).status_code == 200
