"""Gives planned discs to free drives: one thread per drive, several drives at once.

Decides when a disc may begin and what a driver's answer means. Must never begin one that the journal didn't
let start, nor before the server has answered a report of this boot.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Event, Lock
from typing import Final

from devices.agent.blanks import Blanks
from devices.agent.config import Drive
from devices.agent.drivers.base import Driver
from devices.agent.journal import Journal, utc_now
from devices.agent.ledger import Ledger, Planned
from devices.agent.seat import Seat
from devices.agent.store import Store
from devices.agent.wire import Blame, DriveFact, ImageState, Role

log = logging.getLogger("agent")

DRAINED: Final = "drained"


@dataclass(frozen=True, slots=True)
class Shop:
    """What the seats share."""

    journal: Journal
    ledger: Ledger
    blanks: Blanks
    store: Store
    stop: Event


class Press:
    def __init__(self, shop: Shop, drivers: Mapping[str, Driver], *, released: bool) -> None:
        self._shop = shop
        self._lock = Lock()
        self._claimed: set[str] = set()
        self._tried: dict[str, dict[str, str]] = {}
        self._released = released
        self._drained: set[str] = set(json.loads(shop.journal.meta(DRAINED) or "[]"))
        self.seats = {id_: Seat(driver, shop, self) for id_, driver in drivers.items()}

    def start(self) -> None:
        for seat in self.seats.values():
            seat.start()

    def join(self, timeout: float) -> None:
        for seat in self.seats.values():
            seat.join(timeout)

    # -- permission --------------------------------------------------------------------------------------------------

    @property
    def released(self) -> bool:
        return self._released

    def release(self, released: bool) -> None:
        """Discs may begin: the server has answered a report of this boot (or not any more: it said 409)."""
        if released != self._released:
            self._released = released
            log.info("discs may begin" if released else "no disc begins until the server accepts our reports")
            self._shop.journal.changes.note()

    def is_drained(self, drive: str) -> bool:
        return drive in self._drained

    def drain(self, drive: str, *, drained: bool) -> None:
        """An operator's word, kept over restarts: no new disc, or take them again."""
        with self._lock:
            changed = self._drained | {drive} if drained else self._drained - {drive}
            self._shop.journal.keep(DRAINED, json.dumps(sorted(changed)))
            self._drained = changed
        if not drained:
            self.seats[drive].forgive()
        log.info("drive %s: %s", drive, "drained" if drained else "takes discs again")

    # -- choice ------------------------------------------------------------------------------------------------------

    def claim(self, drive: Drive) -> Planned | None:
        """The first waiting disc that this drive may take now; nobody else gets it until `let_go`."""
        if not self._released or drive.role is not Role.COPIER or self.is_drained(drive.id):
            return None
        empty = self._shop.blanks.empty(drive)
        with self._lock:
            for disc in self._shop.ledger.planned():
                if disc.serial in self._claimed or not fits(drive, disc) or disc.order.format in empty:
                    continue
                if drive.id in self._tried.get(disc.serial, {}) or not self._has_image(disc):
                    continue
                self._claimed.add(disc.serial)
                return disc
        return None

    def let_go(self, disc: Planned) -> None:
        with self._lock:
            self._claimed.discard(disc.serial)

    def _has_image(self, disc: Planned) -> bool:
        stored = self._shop.store.find(disc.order.image)
        if stored is not None and stored.state is ImageState.READY:
            return True
        if stored is None or stored.state is ImageState.FAILED:
            why = stored.reason if stored is not None and stored.reason else "it is not on this writer's disk"
            self.give_up(disc, None, Blame.JOB, f"image-missing: {why}")
        return False

    # -- giving up ---------------------------------------------------------------------------------------------------

    def unfit(self, drive: Drive, disc: Planned, detail: str) -> None:
        """This drive can't take the disc. Once no other one can, the server is to have it written elsewhere."""
        with self._lock:
            tried = self._tried.setdefault(disc.serial, {})
            tried[drive.id] = detail
            others = [seat for seat in self.seats.values() if fits(seat.drive, disc) and seat.drive.id not in tried]
        if not others:
            faults = "; ".join(f"{id_}: {fault}" for id_, fault in sorted(tried.items()))
            self.give_up(disc, drive.id, Blame.DRIVE, f"no drive can take it: {faults}")

    def give_up(self, disc: Planned, drive: str | None, blame: Blame, reason: str) -> None:
        self._shop.ledger.give_up(disc.serial, drive, blame, reason[:500], utc_now())
        log.error("write %s disc %s: not begun: %s", disc.write, disc.serial, reason)

    def facts(self) -> tuple[DriveFact, ...]:
        return tuple(seat.fact() for seat in self.seats.values())


def fits(drive: Drive, disc: Planned) -> bool:
    """Is this drive one that the write may use, blanks and trouble aside?"""
    named = disc.order.drive
    return drive.role is Role.COPIER and disc.order.format in drive.formats and named in (None, drive.id)
