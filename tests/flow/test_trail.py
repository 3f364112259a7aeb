"""One order, followed through the logs of every process: its number and its write's id are all the way in them,
and nothing that it is nobody's business to read is in any."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socketserver
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from storefront.demo.customer import TEST_CARD, Customer
from tests.browser.demo import ROOT, Demo, environment, running_demo

pytestmark = pytest.mark.timeout(300)

BUYER = {
    "name": "Zenobia Canarywood",
    "organisation": "Canaryworks GmbH",
    "email": "zenobia.canarywood@canary.example",
    "phone": "+49 30 555 777 3131",
    "line1": "Kanarienstieg 77",
    "line2": "Hinterhaus Papageno",
    "postal_code": "10827",
    "city": "Berlin",
    "country": "DE",
}
DECLINED = "4000000000000002"
METRICS_TOKEN = "canary-metrics-token-31"
SHIP = """
from django.utils import timezone
from fulfillment import operators
from fulfillment.models import Shipment
for step in (operators.pack, operators.ship):
    assert step(Shipment.objects.get(reference={number!r}), "user:1 Zenobia Canarywood", timezone.now())
"""


class RefusingMail(socketserver.StreamRequestHandler):
    """A mail server that refuses every address, and names it as real ones do."""

    def handle(self) -> None:
        self.wfile.write(b"220 mail\r\n")
        for line in self.rfile:
            verb = line[:4].upper()
            if verb == b"RCPT":
                address = line.split(b"<")[1].split(b">")[0]
                self.wfile.write(b"550 5.1.1 <" + address + b">: there is nobody of that name here\r\n")
            elif verb == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 ok\r\n")


@dataclass
class Trail:
    """What one order left behind."""

    said: list[str]
    number: str
    writes: list[str]
    serials: list[str]
    canaries: dict[str, str]

    def lines(self, name: str) -> list[tuple[str, dict[str, Any]]]:
        """Process and event of each line that names it, in the order they were said."""
        found = []
        for line in self.said:
            process, _, rest = line.partition(" ")
            if name in line and (start := rest.find("{")) >= 0:
                found.append((process.rstrip("-0123456789"), json.loads(rest[start:])))
        return found


@contextlib.contextmanager
def refusing_mail_server() -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), RefusingMail) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trail]:
    data = tmp_path_factory.mktemp("trail")
    with refusing_mail_server() as port, pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "SPINDLE_LOG_FORMAT": "json",
            "SPINDLE_LOG_LEVEL": "DEBUG",
            "SPINDLE_METRICS_TOKEN": METRICS_TOKEN,
            "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "EMAIL_HOST": "127.0.0.1",
            "EMAIL_PORT": str(port),
            "EMAIL_USE_TLS": "false",
        }.items():
            patch.setenv(name, value)
        with running_demo(data) as demo:
            yield _follow(demo, data)


def _follow(demo: Demo, data: Path) -> Trail:
    customer = Customer()
    token, number = _order(demo, customer)
    _knock_on_wrong_doors(demo.url, token)
    until(demo, lambda: _state(demo, number) == "ready")
    until(demo, lambda: bool(demo.rows("SELECT 1 FROM storefront_mail WHERE attempts > 0")))
    shipped = subprocess.run(
        [sys.executable, "manage.py", "shell", "-c", SHIP.format(number=number)],
        cwd=ROOT,
        env=environment(data),
        capture_output=True,
        text=True,
        check=True,
    )
    demo.said += [f"staff {line}" for line in shipped.stderr.splitlines()]
    until(demo, lambda: _state(demo, number) == "shipped")
    until(demo, lambda: any("order shipped" in line for line in demo.said))
    shares = "SELECT w.uuid, d.serial FROM devices_write w JOIN devices_disc d ON d.write_id = w.id"
    rows = demo.rows(shares)
    writes = sorted({f"{u[:8]}-{u[8:12]}-{u[12:16]}-{u[16:20]}-{u[20:]}" for u in (str(row[0]) for row in rows)})
    canaries = {name: value for name, value in BUYER.items() if name not in {"postal_code", "city", "country"}}
    canaries |= {"private link": token, "card": TEST_CARD, "metrics token": METRICS_TOKEN}
    canaries |= {f"cookie {cookie.name}": str(cookie.value) for cookie in customer.cookies()}
    canaries |= {path.name: path.read_text() for path in (data / "secrets").iterdir()}
    for config in data.glob("demo/writer-*/agent.toml"):
        canaries[f"report token of {config.parent.name}"] = re.findall(r'(?m)^token = "(.+)"', config.read_text())[0]
    canaries |= {"Stripe key": "sk_test_standin", "webhook secret": "whsec_standin"}
    return Trail(demo.said, number, writes, [str(row[1]) for row in rows], canaries)


def _order(demo: Demo, customer: Customer) -> tuple[str, str]:
    """Orders two discs with all that a form can take; the first card is declined."""
    customer.submit(customer.get(f"{demo.url}/titles/P-1001/"), "/cart/add/", copies="2")
    review = customer.submit(customer.get(f"{demo.url}/checkout/"), "/checkout/", **BUYER)
    hosted = customer.submit(review, "/checkout/pay/")
    with contextlib.suppress(Exception):  # the page of a declined card may come with a status of its own
        customer.pay(hosted, DECLINED)
    page = customer.pay(hosted, TEST_CARD)
    token = page.url.rstrip("/").rpartition("/")[2]
    ((number,),) = demo.rows("SELECT number FROM storefront_order WHERE token = ?", token)
    return token, str(number)


def _knock_on_wrong_doors(url: str, token: str) -> None:
    """Requests that fail, each with something private in its address, its headers or its body."""
    private = f"email={BUYER['email']}&name=Zenobia+Canarywood"
    for path, data, headers in (
        (f"/orders/{token}/nothing/", None, {}),
        (f"/orders/{token}x/", None, {}),
        (f"/orders/{token}/?{private}", b"x=1", {}),  # no CSRF token
        ("/checkout/", private.encode(), {"Referer": f"{url}/orders/{token}/"}),
        ("/stripe/webhook/", private.encode(), {"Stripe-Signature": "t=1,v1=whsec_standin"}),
        ("/metrics", None, {"Authorization": "Bearer wrong"}),
        ("/metrics", None, {"Authorization": f"Bearer {METRICS_TOKEN}"}),
        (f"/orders/{token}/", None, {"Host": "forged.example", "X-Request-ID": "a\tb"}),
        ("/", None, {"X-Request-ID": "trace-of-a-proxy-1"}),
    ):
        request = urllib.request.Request(url + path, data=data, headers=headers)  # noqa: S310  (our own demo)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310  (our own address)
                assert re.fullmatch(r"[A-Za-z0-9._-]{8,64}", answer.headers.get("X-Request-ID", "probe-has-none"))
        except urllib.error.HTTPError as error:
            error.close()


def _state(demo: Demo, number: str) -> str:
    ((state,),) = demo.rows("SELECT state FROM storefront_order WHERE number = ?", number)
    return str(state)


def until(demo: Demo, done: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "\n".join(demo.said[-30:])
        time.sleep(0.1)


def test_an_order_is_followed_by_its_number_from_page_to_door(trail: Trail) -> None:
    seen = {(process, event["event"].partition(":")[0]) for process, event in trail.lines(trail.number)}
    for step in (
        ("web", "order awaiting-payment"),
        ("web", "order paid"),
        ("worker", "job writing"),
        ("worker", "write sent"),
        ("worker", "write accepted"),
        ("web", "disc good"),
        ("web", "write done"),
        ("worker", "job made"),
        ("worker", "shipment ready"),
        ("worker", "order ready"),
        ("staff", "shipment shipped"),
        ("worker", "order shipped"),
    ):
        assert step in seen
    at_agents = [event["event"] for process, event in trail.lines(trail.number) if process == "agent"]
    assert any("accepted, " in said for said in at_agents)
    assert sum("good, verified by digest" in said for said in at_agents) == 2


def test_a_write_is_followed_by_its_id_through_worker_agent_and_report(trail: Trail) -> None:
    assert trail.writes
    for write in trail.writes:
        lines = trail.lines(write)
        assert {"worker", "agent", "web"} <= {process for process, _ in lines}
        assert {event.get("order") for _, event in lines if "order" in event} == {trail.number}
    for serial in trail.serials:
        lines = trail.lines(serial)
        assert [process for process, event in lines if event["event"] == "disc good"] == ["web"]
        assert all(event["order"] == trail.number for process, event in lines if process == "agent")


def test_a_call_to_an_agent_is_named_alike_on_both_sides(trail: Trail) -> None:
    accepted = [
        event for process, event in trail.lines(trail.number) if process == "agent" and "accepted" in str(event)
    ]
    for event in accepted:
        assert any(process == "worker" for process, _ in trail.lines(event["request_id"]))


def test_a_proxy_s_request_id_is_kept_and_a_forged_one_is_not(trail: Trail) -> None:
    assert trail.lines("trace-of-a-proxy-1")
    assert not any(
        event.get("request_id", "").startswith("a") and "\t" in event["request_id"] for _, event in trail.lines("{")
    )


def test_every_line_of_our_processes_is_one_event(trail: Trail) -> None:
    said = [line for line in trail.said if re.match(r"(web|worker|beat|agent-\d) ", line)]
    assert len(said) > 20
    for line in said:
        start = line.find("{")
        assert start > 0, line
        assert {"at", "level", "logger", "event"} <= json.loads(line[start:]).keys()


def test_the_faults_on_the_way_were_told(trail: Trail) -> None:
    """Else nothing private could have been in their lines."""
    refused = [event["event"] for _, event in trail.lines(f"mail confirmation-{trail.number} not sent")]
    assert refused
    assert refused[0].endswith("SMTPRecipientsRefused")
    assert any(event["event"].startswith("webhook refused") for _, event in trail.lines("webhook refused"))


def found_in(lines: list[str], canaries: dict[str, str]) -> list[tuple[str, str]]:
    return [(name, line) for name, value in canaries.items() for line in lines if value in line]


def test_no_secret_and_nothing_personal_is_in_any_line(trail: Trail) -> None:
    assert len(trail.canaries) >= 15
    assert found_in(trail.said, trail.canaries) == []


def test_the_search_would_have_found_each(trail: Trail) -> None:
    for name, value in trail.canaries.items():
        assert len(value) >= 8
        assert found_in([f"before {value} behind"], trail.canaries)[0][0] in trail.canaries, name
    assert os.environ.get("SPINDLE_METRICS_TOKEN") == METRICS_TOKEN  # the processes were given it
