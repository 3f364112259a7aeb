"""A fleet that exists in its reports alone: two hundred writers, each with a write under way.

python -m tests.bench.virtual_fleet COUNT    puts them into a shop's database, and says how to report as each of them
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

from devices.agent import wire

SHA256 = "ab" * 32
COPIES = 100


@dataclass
class VirtualWriter:
    """Two drives at work on one write; each change finishes a disc and begins the next."""

    uuid: UUID
    token: str
    write: UUID | None = None
    serials: list[str] = field(default_factory=list)
    journal: UUID = field(default_factory=uuid4)
    boot: UUID = field(default_factory=uuid4)
    sequence: int = 1
    finished: int = 0
    progress: float = 0.0

    def move(self, *, finish: bool) -> None:
        """What happens between two reports: progress, or a disc that is done."""
        self.sequence += 1
        self.progress = 0.0 if finish else min(1.0, self.progress + 0.25)
        self.finished = min(self.finished + finish, len(self.serials) - 2)

    def state(self) -> wire.State:
        return wire.State(
            protocol=wire.PROTOCOL,
            writer=self.uuid,
            name="virtual",
            kind="virtual",
            software="bench",
            journal_id=self.journal,
            boot_id=self.boot,
            sequence=self.sequence,
            time=datetime.now(UTC),
            drives=tuple(self._drive(number) for number in range(2)),
            blanks=(wire.BlankFact(format="cd", kind="CD-R", bin="hopper", remaining=1000 - self.finished),),
            disk=wire.DiskFact(capacity=10**12, free=10**11),
            images_digest="none",
            images=(),
            writes=() if self.write is None else (self._write(self.write),),
        )

    def _drive(self, number: int) -> wire.DriveFact:
        busy = self.write is not None
        return wire.DriveFact(
            id=f"d{number + 1}",
            role=wire.Role.COPIER,
            feed=wire.Feed.ROBOT,
            formats=("cd",),
            kinds=("CD-R",),
            state=wire.DriveState.BUSY if busy else wire.DriveState.IDLE,
            progress=self.progress if busy else None,
            serial=self.serials[self.finished + number] if busy else None,
        )

    def _write(self, uuid: UUID) -> wire.WriteAnswer:
        discs = tuple(self._disc(place, serial) for place, serial in enumerate(self.serials))
        return wire.WriteAnswer(uuid=uuid, state=wire.WriteState.WRITING, discs=discs)

    def _disc(self, place: int, serial: str) -> wire.DiscResult:
        now = datetime.now(UTC)
        if place < self.finished:
            return wire.DiscResult(
                serial=serial,
                state=wire.DiscState.GOOD,
                drive="d1",
                started_at=now,
                finished_at=now,
                verified=wire.Verified.DIGEST,
            )
        begun = place < self.finished + 2
        state = wire.DiscState.STARTED if begun else wire.DiscState.PLANNED
        return wire.DiscResult(
            serial=serial, state=state, drive="d1" if begun else None, started_at=now if begun else None
        )


def main(count: int) -> None:
    import django  # noqa: PLC0415  (the reporting process needs none of it)

    django.setup()
    from django.utils import timezone  # noqa: PLC0415  (only once the process is set up)

    from devices import reports  # noqa: PLC0415  (only once the process is set up)
    from devices.intake import ImageRef, add_writer, queue_write  # noqa: PLC0415  (only once the process is set up)

    made = []
    for number in range(count):
        now = timezone.now()
        new = add_writer(name=f"Writer {number:03}", address="http://127.0.0.1:9", now=now)
        virtual = VirtualWriter(new.writer.uuid, new.report_token)
        reports.take_report(new.writer, virtual.state(), now)
        write = queue_write(
            uuid=uuid4(),
            writer=new.writer,
            image=ImageRef(SHA256, 2048 * 100, "iso"),
            format="cd",
            title="Nine songs",
            copies=COPIES,
            actor="bench",
            now=now,
        )
        serials = list(write.discs.order_by("id").values_list("serial", flat=True))
        made.append(
            [str(virtual.uuid), virtual.token, str(write.uuid), serials, str(virtual.journal), str(virtual.boot)]
        )
    json.dump(made, sys.stdout)


def read(text: str) -> list[VirtualWriter]:
    return [
        VirtualWriter(UUID(uuid), token, UUID(write), serials, UUID(journal), UUID(boot))
        for uuid, token, write, serials, journal, boot in json.loads(text)
    ]


if __name__ == "__main__":
    main(int(sys.argv[1]))
