"""The door from above for the bytes of an image on a writer's disk.

Calls the agent: never inside a transaction. Whether they are the right ones, their digest says to whoever takes them.
"""

from __future__ import annotations

from collections.abc import Iterator

from devices import visits
from devices.models import Writer


def image_bytes(writer: Writer, sha256: str, first: int = 0) -> Iterator[bytes]:
    """From byte `first` on. Raises client.AgentError and addresses.AddressRefused."""
    with visits.dial(writer) as client:
        yield from client.image_content(sha256, first)
