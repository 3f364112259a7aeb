"""All parts of the agent put together, started and ended. Must never decide anything about discs."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from threading import Event
from uuid import UUID

from devices.agent import handover, private
from devices.agent.blanks import Blanks
from devices.agent.config import Config
from devices.agent.drivers import load_drivers
from devices.agent.fetch import Fetcher
from devices.agent.identity import Identity
from devices.agent.journal import Journal, utc_now
from devices.agent.ledger import Ledger
from devices.agent.press import Press
from devices.agent.reads import Reads
from devices.agent.reports import Reporter
from devices.agent.routes.parts import Parts
from devices.agent.shop import Shop
from devices.agent.state import Mirror
from devices.agent.store import Store
from devices.agent.tokens import Tokens
from devices.agent.trays import Trays

log = logging.getLogger("agent")

NOBODY = UUID(int=0)  # as an agent that is not enrolled would call itself, if anybody could ask it


@dataclass(frozen=True, slots=True)
class Agent:
    """Not started yet. One that is not enrolled holds its journal and does nothing."""

    identity: Identity
    parts: Parts
    tokens: Tokens
    reporter: Reporter | None

    def start(self) -> None:
        writer, shop = self.identity.writer, self.parts.shop
        if writer is None:
            return
        now = utc_now()
        for serial in shop.ledger.recover(now):
            log.error("disc %s: unknown: the agent stopped while it was being written", serial)
        for drive in shop.reads.recover(now):
            log.error("drive %s: the agent stopped while it was being read", drive)
        handover.become(shop.journal, writer, now)
        self.parts.fetcher.start()
        self.parts.fetcher.want(shop.store.reconcile())
        self.parts.press.start()
        if self.reporter is not None:
            self.reporter.start()

    def take_leave(self, of_writer: bool) -> None:
        """Nothing new begins: another enrolment waits. As another writer (`of_writer`) what waits here is given up."""
        press, shop = self.parts.press, self.parts.shop
        press.hold(True)
        if of_writer:
            shop.ledger.give_up_all(utc_now())
            shop.reads.give_up_all(utc_now())

    def stay(self) -> None:
        """It is to be who it is after all."""
        self.parts.press.hold(False)

    def is_quiet(self) -> bool:
        """No disc is under way."""
        return self.identity.writer is None or self.parts.press.is_quiet()

    def is_told(self) -> bool:
        """Has the server all there is to tell?"""
        shop = self.parts.shop
        return self.reporter is None or not (shop.ledger.unrecorded() or shop.reads.unrecorded())

    def end(self) -> None:
        """Within about four seconds; a disc under way becomes unknown."""
        shop = self.parts.shop
        shop.stop.set()
        self.parts.press.break_off()
        shop.journal.changes.wake()
        if self.identity.writer is not None:
            self.parts.fetcher.wake()
            self.parts.press.join(4.0)
            self.parts.fetcher.join(0.2)
            if self.reporter is not None:
                self.reporter.join(0.2)

    def close(self) -> None:
        """When nobody asks any more."""
        self.parts.shop.journal.close()


def assemble(config: Config, identity: Identity) -> Agent:
    """Raises ConfigError, JournalError, TokenFileError, OSError."""
    private.make_folder(config.state)
    tokens = Tokens(config.state / "tokens.json", identity.report_token, identity.tokens_sha256)
    workspace = config.state / "burners"
    workspace.mkdir(exist_ok=True)
    drivers = load_drivers(config.driver, config.drives, workspace, config.options)
    journal = Journal(config.state / "journal.sqlite3")
    log.info("journal %s%s", journal.journal_id, " made" if journal.born else "")
    shop = Shop(
        journal=journal,
        ledger=Ledger(journal),
        reads=Reads(journal),
        trays=Trays(journal),
        blanks=Blanks(journal, config.drives, drivers),
        store=Store(journal, config.state / "images", config.disk_limit),
        stop=Event(),
    )
    shop.blanks.load()
    press = Press(shop, drivers, released=identity.url is None)
    base = f"{identity.url}/api/v1/writers/{identity.writer}" if identity.url is not None else None
    fetcher = Fetcher(shop.store, tokens, f"{base}/files" if base else None, shop.stop)
    mirror = Mirror(config, identity.writer or NOBODY, shop, press)
    reporter = Reporter(f"{base}/report", mirror, shop, tokens, press.release) if base else None
    return Agent(identity, Parts(config, shop, fetcher, press, mirror), tokens, reporter)
