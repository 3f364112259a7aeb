"""What one hand-fed drive wants from a person: a blank put in, or a disc taken out and marked.

Told by the drive's tray where it can be seen, else by the person's own word. Must never begin a disc.
"""

from __future__ import annotations

import logging
from time import monotonic
from typing import Final, Literal

from devices.agent.drivers.base import Driver, Tray
from devices.agent.trays import Held, Trays

log = logging.getLogger("agent")

RETRY: Final = 10.0  # a medium that was no blank may only have been spinning up

Wants = Literal["blank", "take-out"]


class Hand:
    """`look()` and `refuse()` belong to the drive's own thread; the rest may be asked from any."""

    def __init__(self, driver: Driver, trays: Trays) -> None:
        self._driver = driver
        self._trays = trays
        self._drive = driver.drive.id
        self._tray = Tray.UNKNOWN
        self._seen_in = False  # the finished disc, inside the shut drive
        self._seen_out = False  # the open tray with the finished disc on it
        self._swapped = False  # it was shut again since: with a blank, or with the same disc
        self._unfit = False  # what lies in the drive is no blank for the disc that waits
        self._try_again = 0.0
        self.asking = False  # a disc waits for this drive

    # -- the drive's own thread --------------------------------------------------------------------------------------

    def look(self) -> Held:
        """Asks the tray. A disc is out when the drive is shut without one, or was opened with the disc in it.

        Many drives hand out what they have written. Shut again, such a drive holds a blank or the same disc: the
        driver's look at the medium tells which (`proven_out`, `refuse`).
        """
        tray = self._driver.tray()
        held = self._trays.held(self._drive)
        if tray is not self._tray:
            self._tray, self._unfit, self._try_again = tray, False, 0.0
        if held.finished:
            if tray is Tray.EMPTY or (tray is Tray.OPEN and self._seen_in):
                self.take_out(held.serial)
            self._seen_out = self._seen_out or tray is Tray.OPEN
            self._seen_in = self._seen_in or tray is Tray.LOADED
            self._swapped = self._seen_out and tray is Tray.LOADED
        elif held.loaded and tray is Tray.EMPTY:
            self._trays.load(self._drive, loaded=False)
        return self._trays.held(self._drive)

    def opened(self) -> None:
        """We have ejected it ourselves: an open tray tells nothing of a person."""
        self._seen_in = False

    def may_try(self, held: Held) -> bool:
        """Does a blank lie in the drive, or may what lies there have become one?"""
        due = monotonic() >= self._try_again
        if held.finished:
            return self._swapped and due
        again = self._unfit and self._tray is Tray.LOADED and due
        return held.serial is None and (again or self._has_blank(held))

    def refuse(self) -> None:
        """The driver has looked at the medium: it is no blank for this disc, or there is none."""
        self._unfit, self._try_again = True, monotonic() + RETRY
        self._trays.load(self._drive, loaded=False)

    def proven_out(self) -> None:
        """The driver has looked at the medium: it is a blank, so the finished disc is out."""
        held = self._trays.held(self._drive)
        if held.finished and self._swapped:
            self.take_out(held.serial)

    def begun(self) -> None:
        self._unfit = self._seen_in = self._seen_out = self._swapped = self.asking = False

    # -- any thread --------------------------------------------------------------------------------------------------

    def wants(self) -> tuple[Wants | None, str | None]:
        """And the serial of the disc that is to be taken out."""
        held = self._trays.held(self._drive)
        if held.finished:
            return "take-out", held.serial
        if self.asking and held.serial is None and not self._has_blank(held):
            return "blank", None
        return None, None

    @property
    def refused(self) -> bool:
        return self._unfit

    def loaded(self, serial: str | None) -> None:
        """A person's word: a blank is in (for this disc)."""
        if self._trays.load(self._drive, loaded=True, serial=serial):
            log.info("drive %s: a blank is in, says the operator", self._drive)

    def take_out(self, serial: str | None) -> None:
        if self._trays.take_out(self._drive, serial):
            log.info("drive %s: disc %s is out", self._drive, serial or "in it")

    def _has_blank(self, held: Held) -> bool:
        if self._tray is Tray.LOADED:
            return held.loaded or not self._unfit
        return held.loaded and self._tray is not Tray.EMPTY
