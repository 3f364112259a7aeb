"""One drive's place at the press, as far as all drives share it: its thread, its trouble, what an operator says to it.

Must never let a driver's fault end its thread, nor call the driver from another one.
"""

from __future__ import annotations

import logging
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable
from math import isnan
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, Final

from devices.agent.drivers.base import Driver, Fitness, Readiness
from devices.agent.problems import conflict
from devices.agent.shop import Shop
from devices.agent.wire import DriveFact, DriveState, PrinterFact, ProblemType

if TYPE_CHECKING:
    from devices.agent.press import Press

log = logging.getLogger("agent")

IDLE_LOOK: Final = 1.0
RETRY: Final = 10.0
JOURNAL_RETRY: Final = 2.0
PROGRESS_STEP: Final = 0.005


class Seat(ABC):
    def __init__(self, driver: Driver, shop: Shop, press: Press) -> None:
        self.driver = driver
        self.drive = driver.drive
        self._shop = shop
        self._press = press
        self._progress: float | None = None
        self._trouble: Readiness | None = None
        self._look_again = 0.0
        self._eject_asked = False
        self._printers: tuple[PrinterFact, ...] = ()
        self._mute = False  # the machine has not told of its printers
        self._thread = Thread(target=self._run, name=f"drive-{self.drive.id}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    # -- what is told ------------------------------------------------------------------------------------------------

    @abstractmethod
    def fact(self) -> DriveFact:
        """The drive as the state has it."""

    @abstractmethod
    def occupied(self) -> str:
        """Why nobody may touch the drive now; empty where one may."""

    def printers(self) -> tuple[PrinterFact, ...]:
        """A fault must not stop all reports: the last that is known stands."""
        try:
            self._printers = self.driver.printers()
            self._mute = False
        except Exception:
            if not self._mute:
                log.exception("drive %s: the machine can't say how its printers are", self.drive.id)
            self._mute = True
        return self._printers

    def _fact(self, state: DriveState, reasons: tuple[str, ...]) -> DriveFact:
        return DriveFact(
            id=self.drive.id,
            role=self.drive.role,
            feed=self.drive.feed,
            formats=self.drive.formats,
            kinds=self.drive.kinds,
            state=state,
            reasons=reasons,
            progress=self._progress,
        )

    def _set_trouble(self, trouble: Readiness | None) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            if trouble is not None:
                log.warning("drive %s: %s", self.drive.id, trouble.detail)
            self._note()

    def _show(self, progress: float) -> None:
        """As a driver says it: what is no progress would be no state either, and stop all reports."""
        if isnan(progress):
            return
        progress = min(1.0, max(0.0, progress))
        if self._progress is None or abs(progress - self._progress) >= PROGRESS_STEP or progress == 1.0:
            self._progress = progress
            self._shop.journal.changes.note(progress=True)

    def _note(self) -> None:
        self._shop.journal.changes.note()

    # -- an operator's words, in the caller's thread -----------------------------------------------------------------

    def forgive(self) -> None:
        """An operator has looked at the drive."""
        self._look_again = 0.0
        self._set_trouble(None)

    def eject(self) -> None:
        """Has the drive's own thread open the tray. Raises RefusedError (409) while a disc is under way."""
        if why := self.occupied():
            raise conflict(ProblemType.DRIVE_RESERVED, f"Drive {self.drive.id} {why}: eject when that is over.")
        self._eject_asked = True
        self._note()

    def loaded(self, serial: str | None) -> None:  # noqa: B027  (most drives are fed by no person: the word says nothing)
        """A person has put a blank in."""

    def taken_out(self, serial: str | None) -> None:  # noqa: B027  (nothing to do where nobody feeds the drive)
        """A person has taken the disc out and marked it."""

    # -- the loop ----------------------------------------------------------------------------------------------------

    @abstractmethod
    def _turn(self) -> bool:
        """One disc, if there is one for this drive now."""

    def _run(self) -> None:
        while not self._shop.stop.is_set():
            seen = self._shop.journal.changes.facts
            try:
                self._eject_if_asked()
                worked = self._turn()
            except sqlite3.Error as fault:
                if self._shop.stop.is_set():
                    return
                log.error("drive %s: the journal can't be used: %s", self.drive.id, fault)
                worked = False
            except Exception as fault:
                log.exception("drive %s: failed", self.drive.id)
                self._set_trouble(Readiness(Fitness.BROKEN, "writer-failure", str(fault)))
                self._look_again = monotonic() + RETRY
                worked = False
            if not worked:
                self._await_change(seen)

    def _await_change(self, seen: int) -> None:
        changes, stop = self._shop.journal.changes, self._shop.stop
        changes.wait(lambda: stop.is_set() or changes.facts != seen, IDLE_LOOK)

    def _eject_if_asked(self) -> None:
        if self._eject_asked:
            self._eject_asked = False
            log.info("drive %s: ejects", self.drive.id)
            self.driver.eject()
            self._ejected()

    def _ejected(self) -> None:  # noqa: B027  (only hand-fed drives draw a conclusion from it)
        """The tray was opened by us."""

    def _is_fit(self) -> bool:
        """No trouble, or none any more: a broken drive is examined again now and then."""
        trouble = self._trouble
        if trouble is None:
            return True
        if monotonic() < self._look_again:
            return False
        if trouble.fitness is Fitness.BROKEN:
            now = self.driver.examine()
            if now.fitness is not Fitness.READY:
                self._look_again = monotonic() + RETRY
                return False
            self._press.forgive(self.drive.id)
            self._set_trouble(None)
        return True

    def _book(self, what: str, booking: Callable[[], None]) -> bool:
        """A result goes into the journal, whatever it takes: unbooked it would be lost with a restart."""
        while True:
            try:
                booking()
            except (sqlite3.Error, OSError) as fault:
                log.error("%s: its result can't be booked: %s", what, fault)
                if self._shop.stop.wait(JOURNAL_RETRY):
                    return False
            else:
                return True
