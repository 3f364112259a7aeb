"""Puts the whole state of the writer together, as it is told in reports and on request.

Must never change anything.
"""

from __future__ import annotations

from typing import Final

from devices.agent.blanks import Blanks
from devices.agent.config import Config
from devices.agent.journal import Journal, utc_now
from devices.agent.ledger import Ledger
from devices.agent.press import Press
from devices.agent.store import Store, images_digest
from devices.agent.wire import PROTOCOL, State

SOFTWARE: Final = "spindle-agent 0.1.0"


class Mirror:
    def __init__(
        self, config: Config, journal: Journal, ledger: Ledger, blanks: Blanks, store: Store, press: Press
    ) -> None:
        self._config = config
        self._journal = journal
        self._ledger = ledger
        self._blanks = blanks
        self._store = store
        self._press = press

    def state(self) -> State:
        """Everything, images too. What is read after the sequence may be newer than it says, never older."""
        sequence = self._journal.changes.sequence
        images = self._store.facts()
        return State(
            protocol=PROTOCOL,
            writer=self._config.writer,
            name=self._config.name,
            kind=self._config.driver,
            software=SOFTWARE,
            journal_id=self._journal.journal_id,
            boot_id=self._journal.boot_id,
            sequence=sequence,
            time=utc_now(),
            drives=self._press.facts(),
            blanks=self._blanks.facts(),
            disk=self._store.disk(),
            images=images,
            images_digest=images_digest(images),
            writes=self._ledger.unrecorded(),
        )
