"""A copier drive's place: takes a disc, has it written, books how it ended. Fed by hand, it asks for a blank first.

Must never start a disc without the journal's consent.
"""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING, Final

from structlog.contextvars import bound_contextvars

from devices.agent.answers import Planned
from devices.agent.drivers.base import DiscJob, Driver, Fitness, Readiness, Result, Watch
from devices.agent.hand import Hand, Wants
from devices.agent.journal import utc_now
from devices.agent.seat import RETRY, Seat
from devices.agent.shop import Shop
from devices.agent.stored import Stored
from devices.agent.trace import about
from devices.agent.wire import Blame, DiscState, DriveFact, DriveState, Feed

if TYPE_CHECKING:
    from devices.agent.press import Press

log = logging.getLogger("agent")

STRIKES: Final = 3
STRUCK_OUT: Final = f"stopped after {STRIKES} failed discs in a row; look at the drive, then resume it"
NO_BLANK: Final = Readiness.wait("media-empty", "the journal has no blank left for this drive; load some")


class WritingSeat(Seat):
    def __init__(self, driver: Driver, shop: Shop, press: Press) -> None:
        super().__init__(driver, shop, press)
        self._hand = Hand(driver, shop.trays) if driver.drive.feed is Feed.HAND else None
        self._disc: Planned | None = None
        self._strikes = 0
        self._orphaned = False

    def start(self) -> None:
        self._orphaned = bool(self._shop.ledger.burners(self.drive.id))
        super().start()

    def forgive(self) -> None:
        self._strikes = 0
        super().forgive()

    def loaded(self, serial: str | None) -> None:
        if self._hand is not None:
            self._hand.loaded(serial)

    def taken_out(self, serial: str | None) -> None:
        if self._hand is not None and not self._orphaned:
            self._hand.take_out(serial)

    # -- what is told ------------------------------------------------------------------------------------------------

    def occupied(self) -> str:
        if self._orphaned:
            return "is still held by a burner of an earlier agent"
        disc = self._disc
        return f"is writing disc {disc.serial}" if disc is not None else ""

    def fact(self) -> DriveFact:
        disc = self._disc
        faults = self._faults()
        # Who waits for a person only is in order: nothing keeps more discs from being planned for it.
        stopped = bool(faults) and not self._is_half_empty(faults)
        state = DriveState.BUSY if disc is not None else DriveState.STOPPED if stopped else DriveState.IDLE
        wants, serial = self._wants(disc, stopped=stopped)
        fact = self._fact(state, tuple(dict.fromkeys((*faults, *self._asked(wants)))))
        return fact.model_copy(update={"wants": wants, "serial": disc.serial if disc is not None else serial})

    def _wants(self, disc: Planned | None, *, stopped: bool) -> tuple[Wants | None, str | None]:
        """A drive at work wants nothing, a stopped one no blank: it would not be written on."""
        if self._hand is None or disc is not None or self._orphaned:
            return None, None
        wants, serial = self._hand.wants()
        return (None, None) if stopped and wants == "blank" else (wants, serial)

    def _faults(self) -> tuple[str, ...]:
        trouble = self._trouble
        found = [
            trouble.reason if trouble is not None and not self._waits_for_a_person() else "",
            "writer-failure" if self._strikes >= STRIKES else "",
            "orphan-burner" if self._orphaned else "",
            "paused" if self._press.is_drained(self.drive.id) else "",
            "media-empty" if self._shop.blanks.empty(self.drive) else "",
        ]
        return tuple(dict.fromkeys(reason for reason in found if reason))

    def _asked(self, wants: str | None) -> tuple[str, ...]:
        """Why a person is asked, with the standard word beside the exact one."""
        if wants == "take-out":
            return ("output-area-full",)
        trouble = self._trouble if self._waits_for_a_person() else None
        exact = (trouble.reason,) if trouble is not None and trouble.reason else ()
        return (*exact, "media-needed") if wants == "blank" else exact

    def _waits_for_a_person(self) -> bool:
        trouble = self._trouble
        return self._hand is not None and trouble is not None and trouble.fitness is Fitness.WAIT

    def _is_half_empty(self, faults: tuple[str, ...]) -> bool:
        """Is nothing wrong but that some of its formats have no blanks left?"""
        return faults == ("media-empty",) and len(self._shop.blanks.empty(self.drive)) < len(self.drive.formats)

    # -- one disc ----------------------------------------------------------------------------------------------------

    def _turn(self) -> bool:
        if self._orphaned:
            self._clear_orphans()
        if self._shop.stop.is_set() or not self._may_look() or not self._is_fed():
            return False
        disc = self._press.claim(self)
        if disc is None:
            # A medium is in the way of a disc only, and there is none: the drive itself is fit.
            self._set_trouble(None)
            return False
        try:
            with bound_contextvars(**about(self._shop.journal, disc.write, disc.serial)):
                return self._take(disc)
        finally:
            self._disc = None
            self._progress = None
            self._press.let_go(disc)
            self._note()

    def _may_look(self) -> bool:
        fit = self._waits_for_a_person() or self._is_fit()
        if self._hand is not None and not fit:
            self._hand.asking = self._press.expects(self, free=False)
        return fit

    def _is_fed(self) -> bool:
        """Is there a blank, as far as can be told?

        A hand-fed drive asks for one; no disc is claimed for it meanwhile, so that other drives may take it.
        """
        hand = self._hand
        if hand is None:
            return True
        before = hand.wants()
        held = hand.look()
        in_order = (self._trouble is None or self._waits_for_a_person()) and self._strikes < STRIKES
        hand.asking = self._press.expects(self, free=in_order and held.serial is None)
        if self._waits_for_a_person() and not (hand.refused and (hand.asking or held.finished)):
            self._set_trouble(None)  # another medium may lie there now, or no disc waits for one
        if hand.wants() != before:
            self._note()
        # Struck out it takes no blank, but says of each disc that it is not for this drive.
        return hand.may_try(held) or (held.serial is None and self._strikes >= STRIKES)

    def _ejected(self) -> None:
        if self._hand is not None:
            self._hand.opened()

    def _clear_orphans(self) -> None:
        for serial, burner in self._shop.ledger.burners(self.drive.id):
            self.driver.outlive(burner, self._shop.stop)
            if self._shop.stop.is_set():
                return
            self._shop.ledger.forget_burner(serial)
        self._orphaned = False
        self._note()

    def _take(self, disc: Planned) -> bool:
        if self._strikes >= STRIKES:
            self._press.unfit(self, disc, STRUCK_OUT)
            return True
        stored = self._shop.store.trusted(disc.order.image)
        if stored is None:
            return True  # the next claim finds it failed, and says so
        if disc.face is not None and self._shop.store.trusted(disc.face) is None:
            self._press.give_up(disc, None, Blame.JOB, f"face-missing: face {disc.face} is gone from the writer's disk")
            return True
        job = self._job(disc, stored)
        if not self._begin(disc, job):
            return False
        self._finish(disc, self._write(disc, job))
        return True

    def _job(self, disc: Planned, stored: Stored) -> DiscJob:
        store = self._shop.store
        return DiscJob(
            serial=disc.serial,
            image=store.path(stored.sha256),
            sha256=stored.sha256,
            size=stored.size,
            format=disc.order.format,
            speed=disc.order.speed,
            verify=disc.order.verify,
            layout=stored.layout,
            face=store.path(disc.face) if disc.face is not None else None,
        )

    def _begin(self, disc: Planned, job: DiscJob) -> bool:
        """Everything that can be known before a blank is spent; then the journal's word."""
        found, command = self._look(disc, job)
        if found.fitness is Fitness.REFUSED:
            self._press.give_up(disc, self.drive.id, found.blame or Blame.JOB, found.detail)
            return False
        if found.fitness is not Fitness.READY:
            self._put_off(disc, found)
            return False
        self._set_trouble(None)
        # Asked again: the server may have said 409, or the agent may be stopping, since the disc was claimed.
        if self._shop.stop.is_set() or self._eject_asked or not self._press.may_begin(self.drive.id):
            return False
        if self._hand is not None:
            self._hand.proven_out()
        by_hand = self._hand is not None
        if not self._shop.ledger.start(disc, self.drive.id, command, utc_now(), by_hand=by_hand):
            if self._shop.ledger.waits(disc.serial):  # not cancelled meanwhile
                self._put_off(disc, NO_BLANK)
            return False
        self._disc = disc
        self._progress = 0.0
        if self._hand is not None:
            self._hand.begun()
        self._note()
        log.info("write %s disc %s: started on %s", disc.write, disc.serial, self.drive.id)
        return True

    def _look(self, disc: Planned, job: DiscJob) -> tuple[Readiness, tuple[str, ...]]:
        """What the driver says of the disc, and the command that would write it.

        A driver that fails over it is unfit for it. Were that the drive's trouble alone, the disc would stay the
        first one that each drive takes, and none of those behind it would ever be written.
        """
        try:
            found = self.driver.check(job)
            return found, self.driver.command(job) if found.fitness is Fitness.READY else ()
        except Exception as fault:
            log.exception("write %s disc %s: the driver failed before it began", disc.write, disc.serial)
            return Readiness.broken(str(fault) or type(fault).__name__), ()

    def _put_off(self, disc: Planned, found: Readiness) -> None:
        """The disc doesn't begin here now. Looked at again after a while: without one the drive would spin."""
        self._look_again = monotonic() + RETRY
        if found.fitness is Fitness.BROKEN:
            self._press.unfit(self, disc, found.detail)
        self._set_trouble(found)  # after what an operator who sees it may undo
        if found.fitness is not Fitness.BROKEN and self._hand is not None:
            self._hand.refuse()

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

    def _finish(self, disc: Planned, result: Result) -> None:
        if result.state is DiscState.GOOD:
            self._strikes = 0
        elif result.blame in (Blame.MEDIUM, Blame.DRIVE):
            self._strikes += 1
        if not self._book(f"disc {disc.serial}", lambda: self._shop.ledger.finish(disc.serial, result, utc_now())):
            return
        level = logging.INFO if result.state is DiscState.GOOD else logging.ERROR
        ending = f": {result.reason}" if result.reason else f", verified by {result.verified}"
        log.log(level, "write %s disc %s: %s%s", disc.write, disc.serial, result.state, ending)
        if self._strikes == STRIKES:
            log.error("drive %s: %s", self.drive.id, STRUCK_OUT)
