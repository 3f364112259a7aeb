"""Puts the whole state of the writer together, as it is told in reports and on request.

Must never change anything.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from devices.agent.config import Config
from devices.agent.journal import utc_now
from devices.agent.press import Press
from devices.agent.shop import Shop
from devices.agent.stored import images_digest
from devices.agent.wire import PROTOCOL, State

SOFTWARE: Final = "spindle-agent 0.1.0"


class Mirror:
    def __init__(self, config: Config, writer: UUID, shop: Shop, press: Press) -> None:
        self._config = config
        self._writer = writer
        self._shop = shop
        self._press = press

    def state(self) -> State:
        """Everything, images too. What is read after the sequence may be newer than it says, never older."""
        shop = self._shop
        sequence = shop.journal.changes.sequence
        images = shop.store.facts()
        return State(
            protocol=PROTOCOL,
            writer=self._writer,
            name=self._config.name,
            kind=self._config.driver,
            software=SOFTWARE,
            journal_id=shop.journal.journal_id,
            boot_id=shop.journal.boot_id,
            sequence=sequence,
            time=utc_now(),
            drives=self._press.facts(),
            printers=self._press.printers(),
            blanks=shop.blanks.facts(),
            disk=shop.store.disk(),
            images=images,
            images_digest=images_digest(images),
            writes=shop.ledger.unrecorded(),
            reads=shop.reads.unrecorded(),
        )
