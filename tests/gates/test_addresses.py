"""Addresses of writers, at the edge: real resolvers and real servers that try to lead the shop astray.

The grammar and the networks alone: `tests/devices/test_addresses.py`.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from pytest_django import Settings

from devices import addresses
from devices.addresses import AddressRefused, pin
from devices.client import AgentClient, AgentError
from devices.intake import NotAccepted, check_address

EVERYTHING = ["0.0.0.0/0", "::/0"]
LOOPBACK = ["127.0.0.0/8", "::1/128"]

NEVER = [  # whatever the operator allows
    "169.254.169.254",  # metadata of most clouds
    "169.254.170.2",
    "[fd00:ec2::254]",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "0.0.0.0",  # noqa: S104  (to be refused)
    "0.1.2.3",
    "255.255.255.255",
    "224.0.0.251",
    "[::]",
    "[ff05::2]",
    "[fe80::a9fe:a9fe]",
    "[::ffff:100.100.100.200]",
    "[::ffff:169.254.0.1]",
    "[64:ff9b::6464:64c8]",
    "[64:ff9b::e000:fb]",
    "[2002:a9fe:a9fe::]",
    "[2002:6464:64c8::1]",
    "[2001:0:a9fe:a9fe::1]",
    "[::169.254.169.254]",
    "[64:ff9b:1::a9fe:a9fe]",
    "[fec0::1]",
]


@pytest.mark.parametrize("host", NEVER)
def test_never_dialled_even_where_the_operators_networks_contain_it(host: str) -> None:
    bare = host.strip("[]")
    own = f"{bare}/{128 if ':' in bare else 32}"
    for networks in (EVERYTHING, [own], LOOPBACK):
        with pytest.raises(AddressRefused, match="never dialled"):
            pin(f"http://{host}:9101", networks)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.255.0.3", "[::1]", "10.0.0.5", "192.168.1.7", "[fd12:3456::7]"])
def test_operators_networks_win_over_loopback_and_private_rows(host: str) -> None:
    assert pin(f"http://{host}:9101", EVERYTHING).ip == host.strip("[]")
    with pytest.raises(AddressRefused, match="SPINDLE_AGENT_NETWORKS"):
        pin(f"http://{host}:9101", ["198.51.100.0/24", "2001:db8::/32"])


@pytest.mark.parametrize("host", ["[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::127.0.0.1]", "[64:ff9b::a00:5]"])
def test_a_gateways_address_of_loopback_is_not_loopback_in_disguise(host: str) -> None:
    """An IPv6 address that leads to an IPv4 one passes only where both are allowed."""
    with pytest.raises(AddressRefused):
        pin(f"http://{host}:9101", ["::/0"])


@pytest.mark.parametrize(
    "spelling",
    ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.0.0.1", "127.0.0.1.", "①②⑦.0.0.1", "127。0。0。1"],
)
@pytest.mark.parametrize("form", ["http://{}:9101", "https://{}", "http://user@{}:9101", "//{}:9101"])
def test_other_spellings_of_loopback_are_no_addresses(spelling: str, form: str) -> None:
    with pytest.raises(AddressRefused):
        pin(form.format(spelling), EVERYTHING)


@pytest.mark.parametrize("host", ["169.254.169.254", "metadata.google.internal", "[fd00:ec2::254]"])
def test_the_form_of_a_writer_refuses_what_is_never_dialled(
    host: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SPINDLE_AGENT_NETWORKS = EVERYTHING
    monkeypatch.setattr(addresses, "resolve_by_system", lambda name, port: ["169.254.169.254"])
    with pytest.raises(NotAccepted):
        check_address(f"http://{host}:80")


# -- a resolver that changes its mind --------------------------------------------------------------------------


class Rebinding(threading.Thread):
    """A name server on UDP: the first answer is harmless, every later one is 127.0.0.1, with no time to live."""

    def __init__(self, first: str) -> None:
        super().__init__(daemon=True)
        self.first = first
        self.asked = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def run(self) -> None:
        while True:
            query, client = self.socket.recvfrom(512)
            if query == b"end":
                return
            ip = self.first if self.asked == 0 else "127.0.0.1"
            self.asked += 1
            answer = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x00\x00\x04" + socket.inet_aton(ip)
            header = query[:2] + b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00"
            self.socket.sendto(header + query[12:] + answer, client)

    def resolve(self, host: str, port: int) -> list[str]:
        """What a resolver library does: one question for an A record, over the wire."""
        labels = b"".join(bytes([len(label)]) + label.encode() for label in host.split("."))
        query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + labels + b"\x00\x00\x01\x00\x01"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(5)
            asking.sendto(query, ("127.0.0.1", self.port))
            return [socket.inet_ntoa(asking.recv(512)[-4:])]


@pytest.fixture
def rebinding() -> Iterator[Rebinding]:
    server = Rebinding("127.0.0.2")
    server.start()
    yield server
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ending:
        ending.sendto(b"end", ("127.0.0.1", server.port))
    server.join(5)
    server.socket.close()


@contextmanager
def answering(ip: str, location: str = "", port: int = 0) -> Iterator[tuple[int, list[str]]]:
    """An HTTP server there; (its port, the paths that were asked for). With a location it redirects all."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_response(302 if location else 500)
            self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *unused: object) -> None:
            pass

    server = HTTPServer((ip, port), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1], seen
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()


def test_a_name_that_changes_its_address_is_dialled_where_it_was_checked(rebinding: Rebinding) -> None:
    with answering("127.0.0.2") as (port, harmless), answering("127.0.0.1", port=port) as (_, inside):
        target = pin(f"http://writer.example:{port}", ["127.0.0.2/32"], rebinding.resolve)
        assert target.ip == "127.0.0.2"
        for _ in range(3):
            with AgentClient(target, ["token"]) as client, pytest.raises(AgentError):
                client.state()
        assert rebinding.asked == 1
        assert (len(harmless), inside) == (3, [])
        with pytest.raises(AddressRefused, match="SPINDLE_AGENT_NETWORKS"):  # the next look sees what it says now
            pin(f"http://writer.example:{port}", ["127.0.0.2/32"], rebinding.resolve)


@pytest.mark.parametrize("scheme", ["http://127.0.0.1:{}/secret", "//127.0.0.1:{}/", "file:///etc/passwd"])
def test_a_redirect_is_not_followed(scheme: str) -> None:
    with answering("127.0.0.1") as (inner, inside), answering("127.0.0.2", scheme.format(inner)) as (port, asked):
        target = pin(f"http://127.0.0.2:{port}", ["127.0.0.2/32"])
        with AgentClient(target, ["token"]) as client, pytest.raises(AgentError):
            client.state()
    assert (asked, inside) == (["/v1/state"], [])


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering("127.0.0.1") as (proxy, through), answering("127.0.0.2") as (port, asked):
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy}")
        with AgentClient(pin(f"http://127.0.0.2:{port}", LOOPBACK), ["token"]) as client, pytest.raises(AgentError):
            client.state()
    assert (through, asked) == ([], ["/v1/state"])
