"""One drive's place at the press: takes a disc, has it written, books how it ended.

Must never start a disc without the journal's consent, nor let a driver's fault end its thread.
"""

from __future__ import annotations

import logging
import sqlite3
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, Final

from structlog.contextvars import bound_contextvars

from devices.agent.drivers.base import DiscJob, Driver, Fitness, Readiness, Result, Watch
from devices.agent.journal import utc_now
from devices.agent.ledger import Planned
from devices.agent.trace import about
from devices.agent.wire import Blame, DiscState, DriveFact, DriveState

if TYPE_CHECKING:
    from devices.agent.press import Press, Shop

log = logging.getLogger("agent")

IDLE_LOOK: Final = 1.0
RETRY: Final = 10.0
JOURNAL_RETRY: Final = 2.0
STRIKES: Final = 3
PROGRESS_STEP: Final = 0.005
STRUCK_OUT: Final = f"stopped after {STRIKES} failed discs in a row; look at the drive, then resume it"


class Seat:
    def __init__(self, driver: Driver, shop: Shop, press: Press) -> None:
        self.driver = driver
        self.drive = driver.drive
        self._shop = shop
        self._press = press
        self._disc: Planned | None = None
        self._progress: float | None = None
        self._trouble: Readiness | None = None
        self._look_again = 0.0
        self._strikes = 0
        self._orphaned = False
        self._thread = Thread(target=self._run, name=f"drive-{self.drive.id}", daemon=True)

    def start(self) -> None:
        self._orphaned = bool(self._shop.ledger.burners(self.drive.id))
        self._thread.start()

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    def forgive(self) -> None:
        """An operator has looked at the drive."""
        self._strikes = 0
        self._look_again = 0.0
        self._set_trouble(None)

    # -- what is told ------------------------------------------------------------------------------------------------

    def fact(self) -> DriveFact:
        disc, reasons = self._disc, self._reasons()
        if disc is not None:
            state = DriveState.BUSY
        else:
            state = DriveState.STOPPED if reasons and not self._is_half_empty() else DriveState.IDLE
        return DriveFact(
            id=self.drive.id,
            role=self.drive.role,
            feed=self.drive.feed,
            formats=self.drive.formats,
            kinds=self.drive.kinds,
            state=state,
            reasons=reasons,
            progress=self._progress if disc is not None else None,
            serial=disc.serial if disc is not None else None,
        )

    def _reasons(self) -> tuple[str, ...]:
        trouble = self._trouble
        found = [
            trouble.reason if trouble is not None else "",
            "writer-failure" if self._strikes >= STRIKES else "",
            "orphan-burner" if self._orphaned else "",
            "paused" if self._press.is_drained(self.drive.id) else "",
            "media-empty" if self._shop.blanks.empty(self.drive) else "",
        ]
        return tuple(dict.fromkeys(reason for reason in found if reason))

    def _is_half_empty(self) -> bool:
        """Is nothing wrong but that some of its formats have no blanks left?"""
        return self._reasons() == ("media-empty",) and len(self._shop.blanks.empty(self.drive)) < len(
            self.drive.formats
        )

    def _set_trouble(self, trouble: Readiness | None) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            if trouble is not None:
                log.warning("drive %s: %s", self.drive.id, trouble.detail)
            self._shop.journal.changes.note()

    # -- the loop ----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._shop.stop.is_set():
            seen = self._shop.journal.changes.facts
            try:
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

    def _turn(self) -> bool:
        """One disc, if there is one for this drive now."""
        if self._orphaned:
            self._clear_orphans()
        if self._shop.stop.is_set() or not self._is_fit():
            return False
        disc = self._press.claim(self.drive)
        if disc is None:
            # A medium is in the way of a disc only, and there is none: the drive itself is fit.
            if self._trouble is not None:
                self._set_trouble(None)
            return False
        try:
            with bound_contextvars(**about(self._shop.journal, disc.write, disc.serial)):
                return self._take(disc)
        finally:
            self._disc = None
            self._progress = None
            self._press.let_go(disc)
            self._shop.journal.changes.note()

    def _clear_orphans(self) -> None:
        for serial, burner in self._shop.ledger.burners(self.drive.id):
            self.driver.outlive(burner, self._shop.stop)
            if self._shop.stop.is_set():
                return
            self._shop.ledger.forget_burner(serial)
        self._orphaned = False
        self._shop.journal.changes.note()

    def _is_fit(self) -> bool:
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
            self._set_trouble(None)
        return True

    def _take(self, disc: Planned) -> bool:
        if self._strikes >= STRIKES:
            self._press.unfit(self.drive, disc, STRUCK_OUT)
            return True
        stored = self._shop.store.trusted(disc.order.image)
        if stored is None:
            return True  # the next claim finds it failed, and says so
        job = DiscJob(
            serial=disc.serial,
            image=self._shop.store.path(stored.sha256),
            sha256=stored.sha256,
            size=stored.size,
            format=disc.order.format,
            speed=disc.order.speed,
            verify=disc.order.verify,
        )
        if not self._begin(disc, job):
            return False
        self._finish(disc, self._write(disc, job))
        return True

    def _begin(self, disc: Planned, job: DiscJob) -> bool:
        """Everything that can be known before a blank is spent; then the journal's word."""
        found = self.driver.check(job)
        if found.fitness is Fitness.REFUSED:
            self._press.give_up(disc, self.drive.id, found.blame or Blame.JOB, found.detail)
            return False
        self._set_trouble(None if found.fitness is Fitness.READY else found)
        if found.fitness is not Fitness.READY:
            self._look_again = monotonic() + RETRY
            if found.fitness is Fitness.BROKEN:
                self._press.unfit(self.drive, disc, found.detail)
            return False
        # Asked again: the server may have said 409, or the agent may be stopping, since the disc was claimed.
        if self._shop.stop.is_set() or not self._press.released or self._press.is_drained(self.drive.id):
            return False
        if not self._shop.ledger.start(disc, self.drive.id, self.driver.command(job), utc_now()):
            return False
        self._disc = disc
        self._progress = 0.0
        self._shop.journal.changes.note()
        log.info("write %s disc %s: started on %s", disc.write, disc.serial, self.drive.id)
        return True

    def _write(self, disc: Planned, job: DiscJob) -> Result:
        watch = Watch(
            progress=self._show,
            burner=lambda burner: self._shop.ledger.name_burner(disc.serial, burner),
            stop=self._shop.stop,
        )
        try:
            return self.driver.write(job, watch)
        except Exception as fault:
            log.exception("write %s disc %s: the driver failed", disc.write, disc.serial)
            return Result(DiscState.UNKNOWN, blame=Blame.DRIVE, reason=f"the driver failed: {fault}"[:500])

    def _show(self, progress: float) -> None:
        if self._progress is None or abs(progress - self._progress) >= PROGRESS_STEP or progress == 1.0:
            self._progress = progress
            self._shop.journal.changes.note(progress=True)

    def _finish(self, disc: Planned, result: Result) -> None:
        if result.state is DiscState.GOOD:
            self._strikes = 0
        elif result.blame in (Blame.MEDIUM, Blame.DRIVE):
            self._strikes += 1
        while True:
            try:
                self._shop.ledger.finish(disc.serial, result, utc_now())
                break
            except sqlite3.Error as fault:
                # Unbooked it would be unknown after a restart, so the drive waits until it is booked.
                log.error("disc %s: its result can't be booked: %s", disc.serial, fault)
                if self._shop.stop.wait(JOURNAL_RETRY):
                    return
        level = logging.INFO if result.state is DiscState.GOOD else logging.ERROR
        ending = f": {result.reason}" if result.reason else f", verified by {result.verified}"
        log.log(level, "write %s disc %s: %s%s", disc.write, disc.serial, result.state, ending)
        if self._strikes == STRIKES:
            log.error("drive %s: %s", self.drive.id, STRUCK_OUT)
