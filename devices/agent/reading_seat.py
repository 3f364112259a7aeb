"""A source drive's place: copies the disc in it to an image on the writer's disk, one read at a time.

Must never call what was read an image before its whole digest is known and the file is on the disk.
"""

from __future__ import annotations

import errno
import logging
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Final
from uuid import UUID

from devices.agent.drivers.base import Copied, Driver, Tray, Watch
from devices.agent.growing import GrowingFile
from devices.agent.journal import utc_now
from devices.agent.reads import Copy
from devices.agent.seat import Seat
from devices.agent.shop import Shop
from devices.agent.store import CopyGoneError
from devices.agent.wire import DriveFact, DriveState

if TYPE_CHECKING:
    from devices.agent.press import Press

log = logging.getLogger("agent")

NO_ROOM: Final = "spool-area-full: the disc doesn't fit on the writer's disk: purge images first"
NO_DISC: Final = "media-needed: no disc lies in the drive: put it in, close the tray, and ask again"
STOPPED: Final = "the agent was stopped while the disc was being read: ask for it again"


@dataclass(slots=True)
class Reading:
    """The read under way. `halt` ends it."""

    uuid: UUID
    halt: Event = field(default_factory=Event)
    cancelled: bool = False
    is_full: bool = False


class ReadFailedError(Exception):
    """The text is the read's `reason`."""


class ReadingSeat(Seat):
    def __init__(self, driver: Driver, shop: Shop, press: Press) -> None:
        super().__init__(driver, shop, press)
        self._reading: Reading | None = None

    # -- from any thread ---------------------------------------------------------------------------------------------

    def occupied(self) -> str:
        reading = self._reading
        return f"is being read (read {reading.uuid})" if reading is not None else ""

    def fact(self) -> DriveFact:
        trouble = self._trouble
        found = (
            trouble.reason if trouble is not None else "",
            "paused" if self._press.is_drained(self.drive.id) else "",
        )
        reasons = tuple(dict.fromkeys(reason for reason in found if reason))
        if self._reading is not None:
            return self._fact(DriveState.BUSY, reasons)
        return self._fact(DriveState.STOPPED if reasons else DriveState.IDLE, reasons)

    def cancel(self, uuid: UUID) -> None:
        """Stop this read if it is under way."""
        reading = self._reading
        if reading is not None and reading.uuid == uuid:
            reading.cancelled = True
            reading.halt.set()

    def break_off(self) -> None:
        """The agent ends."""
        reading = self._reading
        if reading is not None:
            reading.halt.set()

    # -- one read ----------------------------------------------------------------------------------------------------

    def _turn(self) -> bool:
        uuid = self._shop.reads.waiting(self.drive.id)
        if uuid is None:
            self._is_fit()
            return False
        if self._shop.stop.is_set() or not self._press.may_begin(self.drive.id):
            return False
        reading = Reading(uuid)
        self._reading = reading  # before the journal says so: who cancels now finds it
        try:
            if self._shop.stop.is_set() or not self._shop.reads.begin(uuid):
                return False
            log.info("read %s: started on %s", uuid, self.drive.id)
            self._read(reading)
            return True
        finally:
            self._reading = None
            self._progress = None
            self._note()

    def _read(self, reading: Reading) -> None:
        try:
            copy = self._copy(reading)
        except ReadFailedError as fault:
            self._fail(reading, str(fault))
            return
        shop, uuid = self._shop, reading.uuid

        def book() -> None:
            shop.store.adopt(uuid, copy, f"read of {self.drive.id}", utc_now())
            shop.reads.succeed(uuid, copy, utc_now())

        try:
            booked = self._book(f"read {uuid}", book)
        except CopyGoneError as fault:  # no other try would find it
            self._fail(reading, str(fault))
            return
        if booked:
            log.info("read %s: ready, image %s of %d bytes", uuid, copy.sha256, copy.size)

    def _fail(self, reading: Reading, reason: str) -> None:
        shop, uuid = self._shop, reading.uuid
        shop.store.drop_read(uuid)
        if reading.cancelled:
            log.info("read %s: cancelled", uuid)
            self._book(f"read {uuid}", lambda: shop.reads.stop(uuid, utc_now()))
        else:
            log.error("read %s: failed: %s", uuid, reason)
            self._book(f"read {uuid}", lambda: shop.reads.fail(uuid, reason, utc_now()))

    def _copy(self, reading: Reading) -> Copy:
        """Raises ReadFailedError."""
        self._progress = 0.0
        self._note()

        def grown(size: int) -> None:
            if not self._shop.store.grow(reading.uuid, size):
                reading.is_full = True
                reading.halt.set()

        part = self._shop.store.read_part(reading.uuid)
        watch = Watch(progress=self._show, burner=lambda _: None, stop=reading.halt)
        try:
            if self.driver.tray() in (Tray.OPEN, Tray.EMPTY):
                raise ReadFailedError(NO_DISC)
            with GrowingFile(part, grown) as file:
                copied = self.driver.read(part, watch)
                grown(part.stat().st_size)
                self._check_end(reading, copied)
                digest, size = file.finish()
        except ReadFailedError:
            raise
        except OSError as fault:
            full = fault.errno == errno.ENOSPC
            raise ReadFailedError(NO_ROOM if full else f"the disc can't be read in: {fault}") from fault
        except Exception as fault:
            log.exception("read %s: failed", reading.uuid)
            raise ReadFailedError(f"reading the disc in failed: {fault}") from fault
        if size == 0 or size != copied.size:
            raise ReadFailedError(f"the driver says it read {copied.size} bytes, its file has {size}")
        return Copy(digest, copied.layout, size)

    def _check_end(self, reading: Reading, copied: Copied) -> None:
        if reading.is_full:
            raise ReadFailedError(NO_ROOM)
        if reading.halt.is_set():
            raise ReadFailedError(STOPPED)
        if copied.size is None:
            raise ReadFailedError(copied.reason or "the driver gave no reason")
