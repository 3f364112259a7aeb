"""What the drives' seats share."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Event

from devices.agent.blanks import Blanks
from devices.agent.journal import Journal
from devices.agent.ledger import Ledger
from devices.agent.reads import Reads
from devices.agent.store import Store
from devices.agent.trays import Trays


@dataclass(frozen=True, slots=True)
class Shop:
    """`stop`: the agent ends."""

    journal: Journal
    ledger: Ledger
    reads: Reads
    trays: Trays
    blanks: Blanks
    store: Store
    stop: Event
