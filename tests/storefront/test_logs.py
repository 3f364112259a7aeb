"""What a line of the log looks like, and what never gets into one."""

from __future__ import annotations

import io
import json
import logging
import smtplib
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import shared_task
from django.db import IntegrityError, connection, transaction
from django.http import HttpRequest
from django.test import Client
from structlog.contextvars import bound_contextvars

from devices.agent.logs import OneLine, config, told
from storefront.logs import RouteForPath
from storefront.models import Order
from storefront.payer import PayerRefused
from storefront.views import orders
from tests.browser.demo import ROOT

CANARY = "Zenobia Canarywood"
TOKEN = "0123456789abcdef" * 2
Said = Callable[[], str]


def _listening(form: str) -> Iterator[Said]:
    """Everything logged meanwhile, as a process of the shop would write it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(OneLine(form, secrets=["a-secret-of-ours"]))
    handler.addFilter(RouteForPath())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream.getvalue
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.fixture(params=["json", "console"])
def said(request: pytest.FixtureRequest) -> Iterator[Said]:
    yield from _listening(request.param)


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_secret_is_blacked_out_however_the_line_spells_it(form: str) -> None:
    secret = 'say "p\\ss" \N{LATIN SMALL LETTER E WITH ACUTE}'
    record = logging.LogRecord("x", logging.INFO, __file__, 1, f"refused: {secret}!", None, None)
    assert "refused: [secret]!" in OneLine(form, secrets=[secret]).format(record)


@pytest.fixture
def events() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    listening = _listening("json")
    text = next(listening)
    yield lambda: [json.loads(line) for line in text().splitlines()]
    next(listening, None)


log = logging.getLogger("storefront.test")


def test_a_line_is_one_object_with_what_it_is_about(events: Callable[[], list[dict[str, Any]]]) -> None:
    with bound_contextvars(order="S-00000001", request_id="r-12345678"):
        log.warning("paper %s failed", "slip", extra={"write": "w-1", "password": CANARY})
    (event,) = events()
    assert event.pop("at").endswith("Z")
    assert event == {
        "level": "warning",
        "logger": "storefront.test",
        "event": "paper slip failed",
        "order": "S-00000001",
        "request_id": "r-12345678",
        "write": "w-1",
    }


@pytest.mark.parametrize("forged", ["\n", "\r\n", "\x1b[2J", "\u2028", "\x85", "\x00"])
def test_no_value_can_forge_a_line(said: Said, forged: str) -> None:
    with bound_contextvars(order=f"S-1{forged}{{}}"):
        log.info("from %s", f"a{forged}2026-11-20T00:00:00Z ERROR root: forged")
    assert len(said().splitlines()) == 1
    assert forged[0] not in said().removesuffix("\n")


def test_a_traceback_says_where_and_never_with_which_values(said: Said) -> None:
    def charge(name: str) -> None:
        street = f"{name}, Kanarienstieg 77"
        raise ValueError(f"can't charge {street}")

    try:
        charge(CANARY)
    except ValueError as error:
        log.exception("not charged: %s", error)
        log.error("not charged: " + str(error), exc_info=True)  # as a careless library does it
    assert said().count("not charged: ValueError") == 2
    assert "test_logs.py" in said()
    assert " charge" in said()
    assert "Canarywood" not in said()
    assert "Kanarienstieg" not in said()


def test_an_exception_speaks_where_its_words_can_repeat_no_input() -> None:
    assert (
        told(ConnectionRefusedError(111, "Connection refused"))
        == "ConnectionRefusedError: [Errno 111] Connection refused"
    )
    assert told(AttributeError("'NoneType' object has no attribute 'x'")).endswith("no attribute 'x'")
    assert told(KeyError(CANARY)) == "KeyError"
    refused = smtplib.SMTPRecipientsRefused({f"{CANARY}@canary.example": (550, b"nobody")})
    assert told(refused) == "SMTPRecipientsRefused"
    assert told(smtplib.SMTPDataError(554, CANARY.encode())) == "SMTPDataError (smtp_code 554)"


def test_one_of_ours_that_quotes_a_foreign_one_says_neither() -> None:
    own = PayerRefused("Nothing was charged.")
    assert told(own) == "PayerRefused: Nothing was charged."
    quoting = PayerRefused(f"refused: Invalid name: {CANARY}")
    quoting.__cause__ = ValueError(f"Invalid name: {CANARY}")
    assert told(quoting) == "PayerRefused because of ValueError"


@pytest.mark.django_db
@pytest.mark.postgres
def test_a_database_s_refusal_does_not_say_the_row(said: Said) -> None:
    """PostgreSQL tells the whole row that it refused."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE people (name varchar(80), CONSTRAINT nobody CHECK (name = ''))")
        with pytest.raises(IntegrityError) as refused, transaction.atomic():
            cursor.execute("INSERT INTO people VALUES (%s)", [CANARY])
    log.error("not stored: %s", refused.value, exc_info=refused.value)
    assert "IntegrityError" in said()
    assert "Canarywood" not in said()


@pytest.mark.parametrize(
    "slipped",
    [
        "zenobia.c+tag@canary.co.uk",
        "sk_live_51Canary",
        "whsec_canary",
        "a-secret-of-ours",
        "Bearer abc.def-ghi",
        "postgres://spindle:hunter22@db/spindle",
        f"/orders/{TOKEN}/",
        "sessionid=k3yk3yk3y",
        "csrfmiddlewaretoken': 'k3yk3yk3y",
    ],
)
def test_the_last_net_holds_what_slipped_through(said: Said, slipped: str) -> None:
    log.info("saw %s there", slipped)
    private = slipped.removeprefix("Bearer ").removeprefix("/orders/").rstrip("/").rpartition("=")[2]
    private = private.rpartition("'")[2].removeprefix("postgres://")
    assert private.split("@db")[0] not in said()
    assert "there" in said()


def test_names_of_our_own_are_left_whole(said: Said) -> None:
    names = f"S-5FVK1BT0 86be91ef-ac4b-439f-9ad3-7958cf9f3c11 {'43997c9a' * 8} /api/v1/files/{'43997c9a' * 8}"
    log.info(names)
    assert names in said()


@pytest.mark.django_db
def test_a_page_that_fails_is_told_by_its_route(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(order: Order) -> dict[str, Any]:
        raise RuntimeError(f"no page for {CANARY}")

    monkeypatch.setattr(orders, "_context", fails)
    monkeypatch.setattr(orders, "_order", lambda token: Order(number="S-00000001"))
    client = Client(raise_request_exception=False)
    assert (
        client.get(f"/orders/{TOKEN}/?name=Canarywood", headers={"Referer": f"http://testserver/{TOKEN}"}).status_code
        == 500
    )
    assert "Internal Server Error: orders/<slug:token>/" in said()
    assert TOKEN not in said()
    assert "Canarywood" not in said()


def test_refusals_of_django_itself_name_no_path(said: Said, client: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(f"/orders/{TOKEN}/", {"name": CANARY}).status_code in {403, 405}
    assert client.get(f"/nothing/{TOKEN}/").status_code == 404
    assert TOKEN not in said()
    assert "Canarywood" not in said()


@pytest.mark.parametrize("given", ["", "short", "a b c d e f g h", "x" * 65, "naïve-naïve"])
def test_a_request_id_that_is_not_sane_is_replaced(client: Client, given: str) -> None:
    headers = {"X-Request-ID": given} if given else {}
    answer = client.get("/titles/none/none/none/", headers=headers)
    assert answer["X-Request-ID"] != given
    assert len(answer["X-Request-ID"]) == 16
    assert client.get("/none/", headers={"X-Request-ID": "trace-1234.5_6"})["X-Request-ID"] == "trace-1234.5_6"


@shared_task(name="tests.breaks")
def breaks(name: str) -> None:
    raise ValueError(f"can't send to {name}")


@pytest.mark.django_db
def test_a_task_that_breaks_tells_its_name_and_where(said: Said) -> None:
    breaks.apply((CANARY,))
    assert "tests.breaks" in said()
    assert "test_logs.py" in said()
    assert "Canarywood" not in said()


def test_lines_about_a_request_without_a_route() -> None:
    record = logging.LogRecord("django.request", 30, "", 1, "%s: %s", ("Not Found", f"/x/{TOKEN}/"), None)
    request = HttpRequest()
    request.path = f"/x/{TOKEN}/"
    record.request = request
    assert RouteForPath().filter(record)
    assert record.getMessage() == "Not Found: no route"


def test_an_unknown_format_is_a_clear_error_at_the_start() -> None:
    with pytest.raises(ValueError, match="SPINDLE_LOG_FORMAT must be json or console, not 'xml'"):
        config("xml", "INFO")


def test_warnings_and_what_nobody_caught_are_lines_too() -> None:
    """In a process of its own, because it changes the interpreter's hooks."""
    program = (
        "import logging.config, threading, warnings\n"
        "from devices.agent import logs\n"
        "logging.config.dictConfig(logs.config('json', 'INFO'))\n"
        "logs.catch_the_rest()\n"
        "warnings.warn('old')\n"
        "def fails():\n    raise KeyError('Canarywood')\n"
        "thread = threading.Thread(target=fails, name='nudge')\nthread.start()\nthread.join()\n"
        "fails()\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(event["logger"], event["level"]) for event in events] == [
        ("py.warnings", "warning"),
        ("uncaught", "error"),
        ("uncaught", "critical"),
    ]
    assert [event["exception"][0]["told"] for event in events[1:]] == ["KeyError", "KeyError"]
    assert "Canarywood" not in done.stderr
