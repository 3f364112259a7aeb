"""Tells the network, without being asked and without a token, that this agent is here: mDNS, `_spindle._tcp`.

Goes on its own: no network, a name that is taken, or a fault of the library holds nothing else up. Must never say more
than the counts that anybody may know.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
from threading import Event, Thread
from typing import Final

import ifaddr
from zeroconf import InterfaceChoice, IPVersion, ServiceInfo, Zeroconf

from devices.agent.wire import About

log = logging.getLogger("agent")

SERVICE: Final = "_spindle._tcp.local."
LOOK: Final = 30.0  # seconds between two looks whether this machine has other addresses now
LABEL: Final = 60  # bytes of a name in DNS, of 63: "-2" is put behind a name that is taken
MACHINE: Final = 30  # bytes of them for the machine's name
TEXT: Final = 255  # bytes of one entry of a TXT record, its key included


class Beacon:
    def __init__(self, about: About, host: str, port: int) -> None:
        self._about = about
        self._host = host
        self._port = port
        self._over = Event()
        self._thread = Thread(target=self._run, name="mdns", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self, timeout: float) -> None:
        """Says goodbye, if that is quick; else the record is forgotten after its time."""
        self._over.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        told: tuple[str, ...] = ()
        beacon: Zeroconf | None = None
        silence = ""
        while not self._over.is_set():
            try:
                here = addresses(self._host)
                if here != told:
                    _close(beacon)
                    beacon, told = None, ()
                    beacon = self._tell(here)
                    told, silence = here, ""
            except Exception as fault:
                if repr(fault) != silence:
                    silence = repr(fault)
                    log.warning("this agent can't be advertised on the network: %r", fault)
            self._over.wait(LOOK)
        _close(beacon)

    def _tell(self, here: tuple[str, ...]) -> Zeroconf | None:
        if not here:
            return None
        if all(ipaddress.ip_address(address).version == 4 for address in here):
            beacon = Zeroconf(interfaces=list(here), ip_version=IPVersion.V4Only)
        else:
            beacon = Zeroconf(interfaces=InterfaceChoice.All, ip_version=IPVersion.All)
        try:
            info = self._info(here)
            beacon.register_service(info, allow_name_change=True)
        except BaseException:
            beacon.close()
            raise
        log.info("advertised on the network as %r at %s", info.name.removesuffix(f".{SERVICE}"), ", ".join(here))
        return beacon

    def _info(self, here: tuple[str, ...]) -> ServiceInfo:
        machine = f"{_cut(socket.gethostname().partition('.')[0], MACHINE)}-{self._port}"
        return ServiceInfo(
            SERVICE,
            f"{label(self._about.name, machine)}.{SERVICE}",
            port=self._port,
            properties=txt(self._about),
            server=f"{machine}.local.",
            parsed_addresses=list(here),
        )


def label(name: str, machine: str) -> str:
    """The instance name. It says which machine this is, so that no two agents ever ask for the same one: of two that
    ask within the same blink (the power came back) neither would hear the other, and one of them would stay unknown.
    """
    behind = f" on {machine}"
    return (_cut(name.replace(".", " "), LABEL - len(behind.encode())) or "agent") + behind


def txt(about: About) -> dict[str, str]:
    """The TXT record. An agent that is not enrolled names no writer."""
    said = {
        "writer": str(about.writer or ""),
        "name": about.name,
        "kind": about.kind,
        "disks": str(about.disks),
        "sources": str(about.sources),
        "copiers": str(about.copiers),
    }
    # A record can't hold more: who sees it has the start of the name.
    return {key: _cut(value, TEXT - len(key) - 1) for key, value in said.items()}


def addresses(host: str) -> tuple[str, ...]:
    """Where this agent can be reached when it listens on `host`: by its networks, else from this machine alone."""
    try:
        asked = ipaddress.ip_address(host)
    except ValueError:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return tuple(sorted({str(entry[4][0]) for entry in found}))
    if not asked.is_unspecified:
        return (str(asked),)
    own = [ip for adapter in ifaddr.get_adapters() for ip in adapter.ips if ip.is_IPv4 == (asked.version == 4)]
    known = [ipaddress.ip_address(ip.ip if isinstance(ip.ip, str) else ip.ip[0]) for ip in own]
    abroad = [str(ip) for ip in known if not ip.is_loopback and not ip.is_link_local]
    return tuple(sorted(set(abroad or [str(ip) for ip in known if ip.is_loopback])))


def _cut(text: str, most: int) -> str:
    """No more than `most` bytes of UTF-8, and no half character."""
    return text.encode()[:most].decode(errors="ignore")


def _close(beacon: Zeroconf | None) -> None:
    if beacon is not None:
        beacon.close()
