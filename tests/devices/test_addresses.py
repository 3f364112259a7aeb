from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.addresses import AddressRefused, parse, pin

EVERYTHING = ["0.0.0.0/0", "::/0"]
LOOPBACK = ["127.0.0.0/8", "::1/128"]


def nobody(host: str, port: int) -> list[str]:
    raise AssertionError(f"{host} was resolved")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "writer1",
        "writer1:9101",
        "//writer1:9101",
        "ftp://writer1:9101",
        "file:///etc/passwd",
        "gopher://writer1:70",
        "javascript:alert(1)",
        "http://",
        "http:///v1",
        "http://:9101",
        "http://?",
        "http://#",
        "http://@writer1:9101",
        "http://user@writer1:9101",
        "http://user:secret@writer1:9101",
        "http://127.0.0.1@169.254.169.254",
        "http://127.0.0.1#@evil.example",
        "http://127.0.0.1:9101#fragment",
        "http://127.0.0.1:9101?x=1",
        "http://127.0.0.1:9101/v1",
        "http://127.0.0.1:9101//",
        "http://127.0.0.1:9101\\@evil.example",
        "http:\\\\127.0.0.1:9101",
        "http://127.0.0.1:0",
        "http://127.0.0.1:65536",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:-1",
        "http://127.0.0.1:+80",
        "http://127.0.0.1:９１０１",
        "http://127.0.0.1: 9101",
        " http://127.0.0.1:9101",
        "http://127.0.0.1:9101 ",
        "http://127.0.0.1:9101\n",
        "http://127.0.0.1\t:9101",
        "http://127.0.0.1%00:9101",
        "http://127.0.0.1%2f:9101",
        "http://2130706433:9101",
        "http://017700000001:9101",
        "http://0x7f000001:9101",
        "http://0x7f.1:9101",
        "http://127.1:9101",
        "http://0177.0.0.1:9101",
        "http://127.0.0.01:9101",
        "http://127.0.0.256:9101",
        "http://127.0.0.1.:9101",
        "http://0:9101",
        "http://0x:9101",
        "http://①②⑦.⓪.⓪.①:9101",
        "http://writer。example:9101",
        "http://-writer:9101",
        "http://writer-:9101",
        "http://wri_ter:9101",
        "http://writer..example:9101",
        "http://.writer:9101",
        "http://" + "a" * 64 + ":9101",
        "http://" + "a." * 127 + "aa:9101",
        "http://[::1:9101",
        "http://::1:9101",
        "http://[127.0.0.1]:9101",
        "http://[fe80::1%25eth0]:9101",
        "http://[fe80::1%eth0]:9101",
        "http://[:::1]:9101",
        "http://[v1.x]:9101",
    ],
)
def test_what_is_not_exactly_an_address_is_refused(address: str) -> None:
    with pytest.raises(AddressRefused):
        pin(address, EVERYTHING, nobody)


@pytest.mark.parametrize(
    "host",
    [
        "0.0.0.0",  # noqa: S104  (to be refused)
        "169.254.169.254",
        "169.254.0.1",
        "224.0.0.1",
        "239.255.255.250",
        "[::]",
        "[ff02::1]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[::ffff:0.0.0.0]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::1]",
    ],
)
def test_some_addresses_are_never_dialled_whatever_is_allowed(host: str) -> None:
    with pytest.raises(AddressRefused, match="never dialled"):
        pin(f"http://{host}:80", EVERYTHING, nobody)


@pytest.mark.parametrize("ip", ["10.0.0.5", "192.168.1.1", "8.8.8.8", "::2", "fd00::1", "::ffff:10.0.0.5"])
def test_networks_of_the_operator_decide_the_rest(ip: str) -> None:
    host = f"[{ip}]" if ":" in ip else ip
    with pytest.raises(AddressRefused, match="SPINDLE_AGENT_NETWORKS"):
        pin(f"http://{host}:9101", LOOPBACK, nobody)
    assert pin(f"http://{host}:9101", EVERYTHING, nobody).ip == ip.removeprefix("::ffff:")


def test_mapped_loopback_is_loopback() -> None:
    assert pin("http://[::ffff:127.0.0.1]:9101", LOOPBACK, nobody).ip == "127.0.0.1"


def test_name_is_resolved_once_and_pinned() -> None:
    asked: list[tuple[str, int]] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["10.1.2.3"]

    target = pin("HTTPS://Writer1.Example:9101/", ["10.0.0.0/8"], resolve)
    assert (target.ip, target.address.netloc) == ("10.1.2.3", "writer1.example:9101")
    assert asked == [("writer1.example", 9101)]


def test_one_forbidden_answer_spoils_the_name() -> None:
    with pytest.raises(AddressRefused, match=r"169\.254\.169\.254"):
        pin("http://rebind.example:80", ["10.0.0.0/8"], lambda host, port: ["10.1.2.3", "169.254.169.254"])


def test_name_that_does_not_resolve_is_refused_with_its_name() -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise socket.gaierror("Name or service not known")

    with pytest.raises(AddressRefused, match="writer1 can't be resolved"):
        pin("http://writer1:9101", LOOPBACK, resolve)
    with pytest.raises(AddressRefused, match="no address"):
        pin("http://writer1:9101", LOOPBACK, lambda host, port: [])


def test_ports_have_the_schemes_default() -> None:
    assert parse("http://writer1").port == 80
    assert parse("https://writer1").port == 443
    assert parse("http://[::1]:9101").netloc == "[::1]:9101"


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    for address in (text, f"http://{text}:9101", f"http://[{text}]"):
        try:
            parsed = parse(address)
        except AddressRefused:
            continue
        assert parsed.host
        assert 1 <= parsed.port <= 65535
