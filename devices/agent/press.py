"""Gives planned discs to free drives, and reads to source drives: one thread per drive, several drives at once.

Decides when a disc may begin and what a driver's answer means. Must never begin one that the journal didn't
let start, nor before the server has answered a report of this boot.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from threading import Lock
from typing import Final
from uuid import UUID

from devices.agent.answers import Planned
from devices.agent.drivers.base import Driver
from devices.agent.journal import utc_now
from devices.agent.reading_seat import ReadingSeat
from devices.agent.seat import Seat
from devices.agent.shop import Shop
from devices.agent.wire import Blame, DriveFact, Feed, ImageState, Layout, PrinterFact, Role
from devices.agent.writing_seat import WritingSeat

log = logging.getLogger("agent")

DRAINED: Final = "drained"


class Press:
    def __init__(self, shop: Shop, drivers: Mapping[str, Driver], *, released: bool) -> None:
        self._shop = shop
        self._lock = Lock()
        self._claimed: set[str] = set()
        self._expected: dict[str, str] = {}  # hand-fed drive: the disc for which it asks a blank
        self._tried: dict[str, dict[str, str]] = {}  # disc: the drives that can't take it, and why
        self._later: set[tuple[str, str]] = set()  # disc and drive: to be tried again, behind all others
        self._released = released
        self._held = False
        self._drained: set[str] = set(json.loads(shop.journal.meta(DRAINED) or "[]"))
        copiers = {id_: driver for id_, driver in drivers.items() if driver.drive.role is Role.COPIER}
        self.writing = {id_: WritingSeat(driver, shop, self) for id_, driver in copiers.items()}
        self.reading = {id_: ReadingSeat(drivers[id_], shop, self) for id_ in drivers if id_ not in copiers}
        self.seats: dict[str, Seat] = {id_: self.reading.get(id_) or self.writing[id_] for id_ in drivers}

    def start(self) -> None:
        by_hand = [id_ for id_, seat in self.writing.items() if seat.drive.feed is Feed.HAND]
        self._shop.trays.forget_all_but(by_hand)
        self._give_up_what_nobody_takes()
        for seat in self.seats.values():
            seat.start()

    def break_off(self) -> None:
        """The agent ends: so do reads under way (writes hear `stop`)."""
        for seat in self.reading.values():
            seat.break_off()

    def join(self, timeout: float) -> None:
        for seat in self.seats.values():
            seat.join(timeout)

    # -- permission --------------------------------------------------------------------------------------------------

    @property
    def released(self) -> bool:
        return self._released

    def release(self, released: bool) -> None:
        """Discs may begin: the server has answered a report of this boot (or not any more: it refuses us)."""
        if released != self._released:
            self._released = released
            log.info("discs may begin" if released else "no disc begins until the server accepts our reports")
            self._shop.journal.changes.note()

    def hold(self, held: bool) -> None:
        """No disc begins, whatever the server says: the agent is about to be another writer."""
        self._held = held

    def is_drained(self, drive: str) -> bool:
        return drive in self._drained

    def may_begin(self, drive: str) -> bool:
        return self._released and not self._held and not self.is_drained(drive)

    def drain(self, drive: str, *, drained: bool) -> None:
        """An operator's word, kept over restarts: no new disc, or take them again."""
        with self._lock:
            changed = self._drained | {drive} if drained else self._drained - {drive}
            self._shop.journal.keep(DRAINED, json.dumps(sorted(changed)))
            self._drained = changed
        if not drained:
            self.forgive(drive)
            self.seats[drive].forgive()
        log.info("drive %s: %s", drive, "drained" if drained else "takes discs again")

    def is_quiet(self) -> bool:
        """No disc is under way."""
        return not any(seat.occupied() for seat in self.seats.values())

    # -- choice ------------------------------------------------------------------------------------------------------

    def claim(self, seat: WritingSeat) -> Planned | None:
        """The first waiting disc that this drive may take now; nobody else gets it until `let_go`."""
        with self._lock:
            disc = next(self._open_to(seat), None)
            if disc is not None:
                self._claimed.add(disc.serial)
            return disc

    def expects(self, seat: WritingSeat, *, free: bool) -> bool:
        """Is there a disc for which this hand-fed drive (if it is `free`) may ask a blank?

        One for which no other such drive asks. It stays open to every drive that has a blank.
        """
        with self._lock:
            self._expected.pop(seat.drive.id, None)
            taken = set(self._expected.values())
            found = (disc.serial for disc in self._open_to(seat) if disc.serial not in taken) if free else iter(())
            serial = next(found, None)
            if serial is not None:
                self._expected[seat.drive.id] = serial
            return serial is not None

    def let_go(self, disc: Planned) -> None:
        with self._lock:
            self._claimed.discard(disc.serial)

    def _open_to(self, seat: WritingSeat) -> Iterator[Planned]:
        """The discs that this drive may take now, oldest write first. With the lock held."""
        if not self.may_begin(seat.drive.id):
            return
        empty = self._shop.blanks.empty(seat.drive)
        for disc in sorted(self._shop.ledger.planned(), key=lambda disc: (disc.serial, seat.drive.id) in self._later):
            if disc.serial in self._claimed or disc.order.format in empty:
                continue
            if seat.drive.id in self._tried.get(disc.serial, {}) or not fits(seat, disc):
                continue
            if self._has_image(seat, disc):
                yield disc

    def _has_image(self, seat: WritingSeat, disc: Planned) -> bool:
        stored = self._shop.store.find(disc.order.image)
        if stored is not None and stored.state is ImageState.READY:
            return stored.layout in seat.driver.layouts
        if stored is None or stored.state is ImageState.FAILED:
            why = stored.reason if stored is not None and stored.reason else "it is not on this writer's disk"
            self.give_up(disc, None, Blame.JOB, f"image-missing: {why}")
        return False

    @property
    def layouts(self) -> frozenset[Layout]:
        """What the drives together can write."""
        return frozenset[Layout]().union(*(seat.driver.layouts for seat in self.writing.values()))

    # -- giving up ---------------------------------------------------------------------------------------------------

    def unfit(self, seat: WritingSeat, disc: Planned, detail: str) -> None:
        """This drive can't take the disc. Once no other one can, the server is to have it written elsewhere."""
        id_ = seat.drive.id
        with self._lock:
            self._forget_what_is_over()
            tried = self._tried.setdefault(disc.serial, {})
            tried[id_] = detail
            others = [seat for seat in self.writing.values() if fits(seat, disc) and seat.drive.id not in tried]
        if not others:
            faults = "; ".join(f"{id_}: {fault}" for id_, fault in sorted(tried.items()))
            self.give_up(disc, id_, Blame.DRIVE, f"no drive can take it: {faults}")

    def forgive(self, drive: str) -> None:
        """The drive is fit again: it may take what it could not. Behind all others, lest a disc that it can never take
        holds it up for ever.
        """
        with self._lock:
            for serial, faults in self._tried.items():
                if faults.pop(drive, None) is not None:
                    self._later.add((serial, drive))

    def _forget_what_is_over(self) -> None:
        """Discs that were begun, given up or cancelled. With the lock held."""
        waiting = {disc.serial for disc in self._shop.ledger.planned()}
        self._tried = {serial: faults for serial, faults in self._tried.items() if serial in waiting}
        self._later = {(serial, drive) for serial, drive in self._later if serial in waiting}

    def give_up(self, disc: Planned, drive: str | None, blame: Blame, reason: str) -> None:
        self._shop.ledger.give_up(disc.serial, drive, blame, reason[:500], utc_now())
        log.error("write %s disc %s: not begun: %s", disc.write, disc.serial, reason)

    def _give_up_what_nobody_takes(self) -> None:
        """The configuration may have changed since they were accepted."""
        for disc in self._shop.ledger.planned():
            if not any(fits(seat, disc) for seat in self.writing.values()):
                self.give_up(disc, None, Blame.DRIVE, f"no drive of this writer takes a {disc.order.format} any more")
        for read in self._shop.reads.unrecorded():
            if read.drive not in self.reading:
                reason = f"this writer has no source drive {read.drive} any more"
                self._shop.reads.fail(read.uuid, reason, utc_now())

    def cancel_read(self, uuid: UUID) -> None:
        for seat in self.reading.values():
            seat.cancel(uuid)

    # -- what is told ------------------------------------------------------------------------------------------------

    def facts(self) -> tuple[DriveFact, ...]:
        return tuple(seat.fact() for seat in self.seats.values())

    def printers(self) -> tuple[PrinterFact, ...]:
        """Each printer once, though several drives share it."""
        found = {printer.id: printer for seat in self.seats.values() for printer in seat.printers()}
        return tuple(found.values())


def fits(seat: WritingSeat, disc: Planned) -> bool:
    """Is this drive one that the write may use, blanks and trouble aside?"""
    named = disc.order.drive
    return disc.order.format in seat.drive.formats and named in (None, seat.drive.id)
