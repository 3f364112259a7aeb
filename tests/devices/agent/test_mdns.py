"""Agents say on the network that they are here, and what of: heard by a browser as the server has one."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Condition

import pytest
from zeroconf import ServiceBrowser, ServiceListener, Zeroconf

from devices.agent import mdns
from devices.agent.mdns import SERVICE, Beacon, addresses, txt
from devices.agent.wire import About
from tests.devices.agent.plant import WRITER, AgentProcess, Shop, await_true
from tests.devices.agent.puppet import PUPPET, SOURCE, Stage
from tests.devices.agent.test_enrol import answer_of, enrol, free_port

ABOUT = About(writer=WRITER, name="Writer 1", kind="xorriso", disks=1, sources=0, copiers=2)


class Heard(ServiceListener):
    def __init__(self) -> None:
        self.records: dict[str, tuple[int | None, dict[str, str]]] = {}
        self.news = Condition()

    def add_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        info = zc.get_service_info(type_, name)
        with self.news:
            if info is not None:
                said = {key.decode(): (value or b"").decode() for key, value in info.properties.items()}
                self.records[name.removesuffix(f".{SERVICE}")] = info.port, said
            self.news.notify_all()

    update_service = add_service

    def remove_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        with self.news:
            self.records.pop(name.removesuffix(f".{SERVICE}"), None)
            self.news.notify_all()

    def by_port(self, port: int) -> dict[str, str] | None:
        return next((said for there, said in list(self.records.values()) if there == port), None)


@pytest.fixture
def heard() -> Iterator[Heard]:
    ears = Zeroconf(interfaces=["127.0.0.1"])
    found = Heard()
    ServiceBrowser(ears, SERVICE, found)
    yield found
    ears.close()


def test_two_agents_of_one_name_are_heard_and_enrolment_changes_what_they_say(
    shop: Shop, heard: Heard, tmp_path: Path
) -> None:
    for drive in ("d1", "d2", "s1"):
        Stage(tmp_path / "one", drive)
    ports = free_port(), free_port()
    one = AgentProcess(
        tmp_path / "one", shop, extra=SOURCE, enrolled=False, advertise=True, listen=f"127.0.0.1:{ports[0]}", **PUPPET
    )
    two = AgentProcess(tmp_path / "two", shop, drives=1, advertise=True, listen=f"127.0.0.1:{ports[1]}")
    silent = AgentProcess(tmp_path / "silent", shop, drives=1)
    try:
        for agent in (one, two, silent):
            agent.start()
        await_true(lambda: heard.by_port(ports[0]) and heard.by_port(ports[1]))
        assert heard.by_port(ports[0]) == {
            "writer": "", "name": "Writer 1", "kind": PUPPET["driver"], "disks": "1", "sources": "1", "copiers": "2",
        }  # fmt: skip
        assert len([name for name, (port, _) in heard.records.items() if port in ports]) == 2
        shop.enrolments["CODE"] = answer_of()
        assert enrol(one.folder, shop, "CODE") == 0
        await_true(lambda: (heard.by_port(ports[0]) or {}).get("writer") == str(WRITER))
        assert heard.by_port(silent.port) is None
        assert "agent" not in silent.call("GET", "/v1/state", token="other").json
        two.stop()
        await_true(lambda: heard.by_port(ports[1]) is None)
    finally:
        for agent in (one, two, silent):
            agent.clean_up()


def test_two_agents_of_one_name_that_start_in_the_same_instant_are_both_heard(heard: Heard) -> None:
    beacons = {port: Beacon(ABOUT, "127.0.0.1", port) for port in (free_port(), free_port())}
    for beacon in beacons.values():
        beacon.start()
    try:
        await_true(lambda: all(heard.by_port(port) for port in beacons))
    finally:
        for beacon in beacons.values():
            beacon.end(0.5)


@pytest.mark.parametrize("name", ["Writer 1", "", "ü" * 99, "Mr. Disc"])
def test_an_instance_name_fits_dns_and_always_says_the_machine(name: str) -> None:
    said = mdns.label(name, "m" * mdns.MACHINE + "-65535")
    assert said.endswith("-65535")
    assert "." not in said
    assert len(said.encode()) <= mdns.LABEL


def test_without_a_network_it_says_so_once_and_tries_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, heard: Heard
) -> None:
    port = free_port()
    tries = 0

    def no_network_yet(host: str) -> tuple[str, ...]:
        nonlocal tries
        tries += 1
        if tries < 4:
            raise OSError(101, "Network is unreachable")
        return (host,)

    monkeypatch.setattr(mdns, "LOOK", 0.05)
    monkeypatch.setattr(mdns, "addresses", no_network_yet)
    beacon = Beacon(ABOUT, "127.0.0.1", port)
    beacon.start()
    try:
        await_true(lambda: heard.by_port(port))
    finally:
        beacon.end(0.5)
    assert caplog.text.count("can't be advertised") == 1


def test_a_record_holds_as_much_of_a_name_as_fits_and_no_half_character() -> None:
    said = txt(ABOUT.model_copy(update={"name": "ü" * 200, "writer": None}))
    assert said["name"] == "ü" * 125  # "name=" and 250 bytes
    assert said["writer"] == ""


def test_where_an_agent_can_be_reached_is_where_it_listens() -> None:
    assert addresses("127.0.0.1") == ("127.0.0.1",)
    assert addresses("192.0.2.7") == ("192.0.2.7",)
    assert "127.0.0.1" in addresses("localhost") or "::1" in addresses("localhost")
    abroad = addresses("0.0.0.0")  # noqa: S104 — asked, not listened on
    assert abroad
    for address in abroad:
        with socket.create_server((address, 0)):
            pass
