"""Agents that are on the network: those that say so by mDNS, and one that a person has named.

What they say of themselves is kept as a sighting, which nobody has checked. An address outside the allowed networks is
neither offered nor dialled. Listening takes seconds: it has a task of its own and never holds a tick.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings

from devices import addresses
from devices.agent import wire
from devices.client import AgentClient, AgentConfused, AgentRefused, AgentUnreachable
from devices.intake import NotAccepted, check_address
from devices.models import Sighting
from devices.text import clean

if TYPE_CHECKING:  # only the task that listens loads zeroconf
    from devices.mdns import Heard

LISTEN: Final = 3.0  # seconds
FORGET: Final = timedelta(minutes=5)
BY_MDNS: Final = "mdns"
BY_ADDRESS: Final = "address"

logger = logging.getLogger(__name__)


def discover(now: datetime, interfaces: list[str] | None = None) -> int:
    """Listens on the network for some seconds and keeps what was heard. How many agents that were."""
    from devices import mdns  # noqa: PLC0415  (zeroconf: 5 MB that web and ticks do without)

    try:
        heard = mdns.browse(LISTEN, interfaces)
    except OSError as error:
        logger.info("nothing can be heard on this machine's network: %s", error)
        heard = []
    return note(heard, now)


def note(heard: Iterable[Heard], now: datetime) -> int:
    """Keeps those that may be dialled, and forgets those that were not seen for 5 minutes."""
    seen = 0
    for each in heard:
        if address := _allowed(each):
            _keep(address, each.about, BY_MDNS, now)
            seen += 1
    Sighting.objects.filter(last_seen__lt=now - FORGET).delete()
    return seen


def look_at(address: str, now: datetime) -> Sighting:
    """Asks the address that a person typed what is there. Raises NotAccepted for the field address, with the remedy."""
    target = check_address(address)
    try:
        with AgentClient(target, []) as client:
            about = client.about()
    except AgentUnreachable as error:
        text = f"No agent answers at {address}: {error} Start it there, or correct the address."
        raise NotAccepted("address", text) from error
    except (AgentConfused, AgentRefused) as error:
        text = f"What answers at {address} is not an agent: {error} Correct the address or the port."
        raise NotAccepted("address", clean(text, 500)) from error
    if about is None:
        text = f"The agent at {address} says nothing of itself (advertise = false). Enrol it with a code all the same."
        raise NotAccepted("address", text)
    scheme = target.address.scheme
    # A certificate is for a name, so that an address with one stays as it was typed.
    kept = _url(scheme, target.ip, target.address.port) if scheme == "http" else f"https://{target.address.netloc}"
    return _keep(kept, about, BY_ADDRESS, now)


def _allowed(heard: Heard) -> str:
    """The first of its addresses that may be dialled; empty, if there is none."""
    for ip in heard.addresses:
        address = _url("http", ip, heard.port)
        try:
            addresses.pin(address, settings.SPINDLE_AGENT_NETWORKS)
        except addresses.AddressRefused:
            continue
        return address
    return ""


def _url(scheme: str, ip: str, port: int) -> str:
    return f"{scheme}://[{ip}]:{port}" if ":" in ip else f"{scheme}://{ip}:{port}"


def _keep(address: str, about: wire.About, by: str, now: datetime) -> Sighting:
    values = {
        "name": clean(about.name, 200),
        "kind": clean(about.kind, 64),
        "writer_uuid": about.writer,
        "disks": min(about.disks, 10_000),
        "sources": min(about.sources, 10_000),
        "copiers": min(about.copiers, 10_000),
        "by": by,
        "last_seen": now,
    }
    sighting, _ = Sighting.objects.update_or_create(
        address=address, defaults=values, create_defaults=values | {"first_seen": now}
    )
    return sighting
