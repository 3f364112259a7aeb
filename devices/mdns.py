"""Listens on the network for a few seconds: which agents say by mDNS that they are here.

Every byte of it comes from strangers: what is no agent's record is passed over, and there is a bound on all of it.
Loads zeroconf, which only the task that listens needs. Must never dial, nor touch the database.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Condition
from time import monotonic
from typing import Any, Final

from pydantic import ValidationError
from zeroconf import InterfaceChoice, IPVersion, ServiceBrowser, ServiceInfo, ServiceStateChange, Zeroconf

from devices.agent.wire import About

logger = logging.getLogger(__name__)

SERVICE: Final = "_spindle._tcp.local."
MOST: Final = 500  # records; a plant has fewer agents
BIGGEST: Final = 10_000  # drives or images that an agent may claim to have
_ASK_MS: Final = 300  # for a record that is not whole yet
_DEADLINE: Final = 10.0  # seconds for all of them


@dataclass(frozen=True, slots=True)
class Heard:
    """What one record says; nobody has checked a word of it."""

    about: About
    addresses: tuple[str, ...]
    port: int


def browse(seconds: float, interfaces: list[str] | None = None) -> list[Heard]:
    """Listens for so long. Raises OSError where this machine has no network to listen on."""
    names: dict[str, None] = {}
    news = Condition()

    def note(name: str, state_change: ServiceStateChange, **unused: Any) -> None:
        with news:
            if state_change is ServiceStateChange.Removed:
                names.pop(name, None)
            elif len(names) < MOST:
                names[name] = None

    ears = Zeroconf(interfaces=interfaces or InterfaceChoice.All, ip_version=IPVersion.V4Only)
    try:
        ServiceBrowser(ears, SERVICE, handlers=[note])
        with news:
            news.wait_for(lambda: len(names) >= MOST, seconds)
            found = list(names)
        return list(_records(ears, found))
    finally:
        ears.close()


def _records(ears: Zeroconf, names: list[str]) -> Iterator[Heard]:
    ends = monotonic() + _DEADLINE
    for name in names:
        if monotonic() > ends:
            logger.warning("more agents are on the network than can be listened to: %s of %s", names.index(name), MOST)
            return
        info = ears.get_service_info(SERVICE, name, _ASK_MS)
        if info is not None and (heard := heard_of(info)) is not None:
            yield heard


def heard_of(info: ServiceInfo) -> Heard | None:
    """The record as an agent writes it, or None."""
    said = {
        key.decode(errors="replace"): value.decode(errors="replace") if value else None
        for key, value in info.properties.items()
    }
    try:
        about = About.model_validate({**said, "writer": said.get("writer") or None})
    except ValidationError:
        return None
    if not info.port or max(about.disks, about.sources, about.copiers) > BIGGEST:
        return None
    return Heard(about, tuple(info.parsed_addresses(IPVersion.V4Only)), info.port)
