"""An agent that behaves: one disc per drive, a hopper that empties, and a memory of its own of what was ever burnt.

Faults are asked for: replies are lost, it dies, its journal is lost. What it must never be asked for goes to `faults`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from devices.agent import wire
from devices.testing import Answer, FakeAgent, problem

BIN: Final = "hopper"


class CarefulAgent(FakeAgent):
    def __init__(self, writer: UUID, command_tokens: Iterable[str], *, drives: int = 2) -> None:
        super().__init__(writer, command_tokens, drives=drives)
        self.first_life = (self.journal_id, self.boot_id, self.sequence)
        self.begin_anew()

    def begin_anew(self) -> None:
        """As it was when it reported for the first time."""
        self.journal_id, self.boot_id, self.sequence = self.first_life
        self.writes, self.recorded, self.refused = {}, set(), set()
        self.images, self.blanks, self.next_answers = {}, [], {}
        self.calls.clear()
        self.burnt: Counter[str] = Counter()  # over all journals: these discs exist
        self.known: dict[UUID, UUID] = {}  # every write it ever took, and under which journal
        self.faults: list[str] = []
        self.down, self.lost_replies = False, 0
        self.may_begin = True
        self.hopper: int | None = None  # blanks, as the machine counts them; None: it has no eye for it
        for number, drive in enumerate(self.drives):
            self.drives[number] = drive.model_copy(update={"state": wire.DriveState.IDLE, "serial": None})

    # --- What happens at the machine --------------------------------------------------------------

    def fill(self, blanks: int | None) -> None:
        self.hopper = blanks
        self._count_blanks()

    def planned(self) -> list[str]:
        return self._serials(wire.DiscState.PLANNED)

    def started(self) -> list[str]:
        return self._serials(wire.DiscState.STARTED)

    def free_drive(self) -> str | None:
        return next((drive.id for drive in self.drives if drive.state == wire.DriveState.IDLE), None)

    def can_begin(self) -> bool:
        return bool(self.may_begin and not self.down and self.hopper != 0 and self.planned() and self.free_drive())

    def begin_disc(self, serial: str) -> None:
        drive = self.free_drive()
        assert drive is not None
        self.burnt[serial] += 1
        if self.burnt[serial] > 1:
            self.faults.append(f"disc {serial} was written twice")
        if self.hopper is not None:
            self.hopper -= 1
        self._count_blanks()
        self._drive_takes(drive, serial)
        self.set_disc(serial, wire.DiscState.STARTED, drive=drive)

    def end_disc(self, serial: str, state: wire.DiscState, **values: Any) -> None:
        drive = next(drive for drive in self.drives if drive.serial == serial)
        self._drive_takes(drive.id, None)
        self.set_disc(serial, state, drive=drive.id, **values)

    def make_good(self, serial: str) -> None:
        self.end_disc(serial, wire.DiscState.GOOD, verified=wire.Verified.DIGEST)

    def finish_all(self) -> None:
        """Begins and ends whatever it may, all good."""
        for serial in self.started():
            self.make_good(serial)
        while self.can_begin():
            serial = self.planned()[0]
            self.begin_disc(serial)
            self.make_good(serial)

    def die_and_start(self) -> None:
        """A started disc without a result is unknown; no other begins before a report was taken."""
        for serial in self.started():
            self.end_disc(serial, wire.DiscState.UNKNOWN, reason="The agent died over it.")
        self.restart()
        self.may_begin = False

    def forget(self) -> None:
        """The journal is gone; discs in the drives are taken out, and nobody says which they were."""
        for drive in self.drives:
            self._drive_takes(drive.id, None)
        self.lose_journal()
        self.may_begin = False

    # --- What it answers --------------------------------------------------------------------------

    def take_call(self, method: str, path: str, headers: Any, body: bytes) -> Answer:
        if self.down:
            return problem(503, "down")
        answer = super().take_call(method, path, headers, body)
        if self.lost_replies and method != "GET":
            self.lost_replies -= 1
            return problem(502, "reply-lost")
        return answer

    def _put_write(self, uuid: UUID, order: wire.WriteOrder, headers: Any) -> Answer:
        answer = super()._put_write(uuid, order, headers)
        if answer.status == 201:
            if self.known.setdefault(uuid, self.journal_id) != self.journal_id:
                self.faults.append(f"write {uuid} was sent again after its journal was lost")
            self.faults += [f"disc {disc.serial} was sent again" for disc in order.discs if self.burnt[disc.serial]]
        return answer

    def _serials(self, state: wire.DiscState) -> list[str]:
        discs = (disc for write in self.writes.values() for disc in write.discs.values())
        return [disc.serial for disc in discs if disc.state == state]

    def _drive_takes(self, ident: str, serial: str | None) -> None:
        state = wire.DriveState.BUSY if serial else wire.DriveState.IDLE
        for number, drive in enumerate(self.drives):
            if drive.id == ident:
                self.drives[number] = drive.model_copy(update={"state": state, "serial": serial})

    def _count_blanks(self) -> None:
        fact = wire.BlankFact(format="cd", kind="CD-R", bin=BIN, remaining=self.hopper)
        self.blanks = [fact]
        self.sequence += 1
