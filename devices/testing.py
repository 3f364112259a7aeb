"""An agent without drives, for tests and trials: follows the contract over real HTTP, keeps everything in memory.

Nothing happens by itself: whoever holds it starts and ends its discs, and decides what it answers next.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Self
from uuid import UUID, uuid4

from pydantic import ValidationError

from devices.agent import wire
from devices.testing_http import Answer, Server, as_json, handler, problem
from devices.tokens import fingerprint

__all__ = ["Answer", "FakeAgent", "FakeRead", "FakeWrite", "problem"]

PAUSED = "paused"  # why a drained drive stands
_OPEN = {wire.DiscState.PLANNED, wire.DiscState.STARTED}


@dataclass(slots=True)
class FakeWrite:
    order: wire.WriteOrder
    discs: dict[str, wire.DiscResult]

    @property
    def waits(self) -> bool:
        return any(disc.state in _OPEN for disc in self.discs.values())

    def answer(self, uuid: UUID) -> wire.WriteAnswer:
        states = {disc.state for disc in self.discs.values()}
        if states == {wire.DiscState.PLANNED}:
            state = wire.WriteState.ACCEPTED
        elif states & _OPEN:
            state = wire.WriteState.WRITING
        elif wire.DiscState.CANCELLED in states:
            state = wire.WriteState.CANCELLED
        else:
            state = wire.WriteState.DONE
        return wire.WriteAnswer(uuid=uuid, state=state, discs=tuple(self.discs.values()))


@dataclass(slots=True)
class FakeRead:
    order: wire.ReadOrder
    answer: wire.ReadAnswer


class FakeAgent:
    """Use as a context manager; `address` is where it listens.

    `next_answers` are given, in order, to the next calls whose "METHOD /path" begins with their key.
    """

    def __init__(
        self,
        writer: UUID,
        command_tokens: Iterable[str],
        *,
        drives: int = 2,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.writer = writer
        self.clock = clock or (lambda: datetime.now(UTC))
        self.about: wire.About | None = None  # what it tells anybody
        self.accepts = {fingerprint(token) for token in command_tokens}
        self.journal_id, self.boot_id, self.sequence = uuid4(), uuid4(), 1
        self.protocol = wire.PROTOCOL
        self.drives = [self._drive(f"d{number + 1}") for number in range(drives)]
        self.blanks: list[wire.BlankFact] = []
        self.images: dict[str, wire.ImageFact] = {}
        self.new_images = wire.ImageState.READY  # what an announced image is at once
        self.why_failed = "its digest is another"
        self.writes: dict[UUID, FakeWrite] = {}
        self.reads: dict[UUID, FakeRead] = {}
        self.recorded: set[UUID] = set()
        self.refused: set[UUID] = set()
        self.calls: list[str] = []
        self.next_answers: dict[str, deque[Answer]] = {}
        self._lock = threading.RLock()
        # Looked up at each call: a test may put its own in between.
        self._server = Server(("127.0.0.1", 0), handler(lambda *call: self.take_call(*call)))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # --- What a test makes happen -----------------------------------------------------------------

    def will_answer(self, call: str, *answers: Answer) -> None:
        self.next_answers.setdefault(call, deque()).extend(answers)

    def set_disc(self, serial: str, state: wire.DiscState, **values: Any) -> None:
        """Moves a disc as a drive would; times are filled in."""
        with self._lock:
            write = next(write for write in self.writes.values() if serial in write.discs)
            now = self.clock()
            times = {"started_at": write.discs[serial].started_at or now}
            if state not in _OPEN:
                times["finished_at"] = now
            if state == wire.DiscState.CANCELLED:
                times = {}
            update = {"state": state, "drive": "d1", **times, **values}
            write.discs[serial] = write.discs[serial].model_copy(update=update)
            self.sequence += 1

    def make_all(self) -> None:
        """Every planned disc is written and read back."""
        for write in list(self.writes.values()):
            for serial, disc in list(write.discs.items()):
                if disc.state in _OPEN:
                    self.set_disc(serial, wire.DiscState.GOOD, verified=wire.Verified.DIGEST)

    def set_drive(self, ident: str, **values: Any) -> None:
        """What is true of a drive from now on: `feed`, `role`, `state`, `wants`, `serial`, `progress` …"""
        with self._lock:
            self.drives = [each.model_copy(update=values) if each.id == ident else each for each in self.drives]
            self.sequence += 1

    def want(self, ident: str, wants: Literal["blank", "take-out"], serial: str | None = None) -> None:
        """A hand-fed drive asks a person for a blank, or to take the disc out and mark it."""
        reason = "media-needed" if wants == "blank" else "output-area-full"
        self.set_drive(ident, feed=wire.Feed.HAND, wants=wants, serial=serial, reasons=(reason,), progress=None)

    def end_read(self, uuid: UUID, sha256: str, size: int) -> None:
        """The disc in the source drive is an image on the writer's disk."""
        with self._lock:
            self.set_image(sha256, wire.ImageState.READY, wire.Layout.ISO, size)
            self._set_read(uuid, state=wire.WriteState.DONE, sha256=sha256, layout=wire.Layout.ISO, size=size)

    def restart(self) -> None:
        self.boot_id = uuid4()
        self.sequence += 1

    def lose_journal(self) -> None:
        self.journal_id, self.boot_id, self.sequence = uuid4(), uuid4(), 1
        self.writes, self.reads, self.recorded, self.refused = {}, {}, set(), set()

    def take_answer(self, answer: wire.ReportAnswer) -> None:
        """What the server answered to a report."""
        self.recorded |= set(answer.recorded)

    def state(self, *, with_images: bool = True) -> wire.State:
        with self._lock:
            images = tuple(self.images.values())
            return wire.State(
                protocol=self.protocol,
                writer=self.writer,
                name="Fake",
                kind="fake",
                software="fake-agent 1",
                journal_id=self.journal_id,
                boot_id=self.boot_id,
                sequence=self.sequence,
                time=self.clock(),
                drives=tuple(self.drives),
                blanks=tuple(self.blanks),
                disk=wire.DiskFact(capacity=10**12, free=10**11),
                images=images if with_images else None,
                images_digest=fingerprint("".join(image.model_dump_json() for image in images)),
                writes=tuple(write.answer(uuid) for uuid, write in self.writes.items() if uuid not in self.recorded),
                reads=tuple(read.answer for uuid, read in self.reads.items() if uuid not in self.recorded),
            )

    @staticmethod
    def _drive(ident: str) -> wire.DriveFact:
        return wire.DriveFact(
            id=ident,
            role=wire.Role.COPIER,
            feed=wire.Feed.ROBOT,
            formats=("cd", "dvd"),
            kinds=("CD-R", "DVD-R"),
            state=wire.DriveState.IDLE,
        )

    # --- What it answers --------------------------------------------------------------------------

    def take_call(self, method: str, path: str, headers: Any, body: bytes) -> Answer:
        with self._lock:
            self.calls.append(f"{method} {path}")
            token = headers.get("Authorization", "").removeprefix("Bearer ")
            if fingerprint(token) not in self.accepts:
                return problem(401, wire.ProblemType.UNAUTHORIZED, agent=self.about)
            for call, answers in self.next_answers.items():
                if answers and f"{method} {path}".startswith(call):
                    return answers.popleft()
            try:
                return self._route(method, path.strip("/").split("/"), headers, body)
            except ValidationError as error:
                field_ = ".".join(str(part) for part in error.errors()[0]["loc"])
                return problem(422, wire.ProblemType.INVALID, error.errors()[0]["msg"], field_)

    def _route(self, method: str, parts: list[str], headers: Any, body: bytes) -> Answer:
        match method, parts:
            case "GET", ["v1", "state"]:
                return as_json(200, self.state())
            case _, ["v1", "images", sha256]:
                return self._image(method, sha256, body)
            case _, ["v1", "writes", uuid]:
                return self._write(method, UUID(uuid), headers, body)
            case _, ["v1", "reads", uuid]:
                return self._read(method, UUID(uuid), body)
            case "POST", ["v1", "drives", ident, verb] if verb in set(wire.DriveVerb):
                return self._tell_drive(ident, wire.DriveVerb(verb), body)
        return problem(404, wire.ProblemType.NOT_FOUND)

    def _image(self, method: str, sha256: str, body: bytes) -> Answer:
        if method == "PUT":
            order = wire.ImageOrder.model_validate_json(body)
            known = self.images.get(sha256)
            if known is None or known.state == wire.ImageState.FAILED:
                self.set_image(sha256, self.new_images, order.layout, order.size)
        fact = self.images.get(sha256)
        if fact is None:
            return problem(404, wire.ProblemType.NOT_FOUND)
        if method == "DELETE":
            if any(write.order.image == sha256 and write.waits for write in self.writes.values()):
                return problem(409, wire.ProblemType.IMAGE_IN_USE, "a write waits for it")
            del self.images[sha256]
            self.sequence += 1
            return Answer(204)
        ready = fact.state == wire.ImageState.READY
        failed = fact.state == wire.ImageState.FAILED
        answer = wire.ImageAnswer(
            state=fact.state,
            received=fact.size if ready else 0,
            reason=self.why_failed if failed else None,
        )
        return as_json(200 if ready or method == "GET" else 202, answer)

    def set_image(
        self, sha256: str, state: wire.ImageState, layout: wire.Layout = wire.Layout.ISO, size: int = 1
    ) -> None:
        known = self.images.get(sha256)
        self.images[sha256] = wire.ImageFact(
            sha256=sha256,
            layout=known.layout if known else layout,
            size=known.size if known else size,
            state=state,
        )
        self.sequence += 1

    def _write(self, method: str, uuid: UUID, headers: Any, body: bytes) -> Answer:
        write = self.writes.get(uuid)
        if method == "PUT":
            return self._put_write(uuid, wire.WriteOrder.model_validate_json(body), headers)
        if method == "DELETE":
            if write is None:
                self.refused.add(uuid)
            else:
                for serial, disc in write.discs.items():
                    if disc.state == wire.DiscState.PLANNED:
                        self.set_disc(serial, wire.DiscState.CANCELLED, drive=None)
            return Answer(202)
        if write is None:
            if uuid in self.refused:
                return as_json(200, wire.WriteAnswer(uuid=uuid, state=wire.WriteState.CANCELLED, discs=()))
            return problem(404, wire.ProblemType.NOT_FOUND)
        return as_json(200, write.answer(uuid))

    def _put_write(self, uuid: UUID, order: wire.WriteOrder, headers: Any) -> Answer:
        journal = headers.get(wire.JOURNAL_HEADER)
        if journal is not None and journal != str(self.journal_id):
            return problem(409, wire.ProblemType.OTHER_JOURNAL)
        if uuid in self.refused:
            return problem(409, wire.ProblemType.CANCELLED)
        if (known := self.writes.get(uuid)) is not None:
            if known.order != order:
                return problem(409, wire.ProblemType.DIFFERENT_BODY)
            return as_json(200, known.answer(uuid))
        if order.drive is not None and (drive := self.drive(order.drive)) is not None and _is_reserved(drive):
            return problem(409, wire.ProblemType.DRIVE_RESERVED)
        used = {serial for write in self.writes.values() for serial in write.discs}
        if any(disc.serial in used for disc in order.discs):
            return problem(409, wire.ProblemType.SERIAL_USED)
        image = self.images.get(order.image)
        if image is None or image.state != wire.ImageState.READY:
            return problem(409, wire.ProblemType.IMAGE_MISSING)
        planned = wire.DiscState.PLANNED
        discs = {disc.serial: wire.DiscResult(serial=disc.serial, state=planned) for disc in order.discs}
        self.writes[uuid] = FakeWrite(order, discs)
        self.sequence += 1
        return as_json(201, self.writes[uuid].answer(uuid))

    def _tell_drive(self, ident: str, verb: wire.DriveVerb, body: bytes) -> Answer:
        """An operator's word. One about a disc that is not in the drive, or about nothing it wants, changes nothing."""
        serial = wire.DriveWord.model_validate_json(body or b"{}").serial
        drive = self.drive(ident)
        if drive is None:
            return problem(404, wire.ProblemType.NOT_FOUND)
        stands = drive.state if drive.state == wire.DriveState.BUSY else wire.DriveState.STOPPED
        match verb:
            case wire.DriveVerb.DRAIN:
                self.set_drive(ident, reasons=(PAUSED,), state=stands)
            case wire.DriveVerb.RESUME if PAUSED in drive.reasons:
                free = drive.state if drive.state == wire.DriveState.BUSY else wire.DriveState.IDLE
                self.set_drive(ident, reasons=(), state=free)
            case wire.DriveVerb.LOADED if drive.wants == "blank":
                self.set_drive(ident, wants=None, reasons=())
            case wire.DriveVerb.TAKEN_OUT if drive.wants == "take-out" and serial in {None, drive.serial}:
                self.set_drive(ident, wants=None, reasons=(), serial=None)
        return as_json(202, self.drive(ident))

    def drive(self, ident: str) -> wire.DriveFact | None:
        return next((each for each in self.drives if each.id == ident), None)

    def _read(self, method: str, uuid: UUID, body: bytes) -> Answer:
        read = self.reads.get(uuid)
        if method == "PUT":
            return self._put_read(uuid, wire.ReadOrder.model_validate_json(body))
        if method == "DELETE":
            if read is None:
                self.refused.add(uuid)
            elif read.answer.state in {wire.WriteState.ACCEPTED, wire.WriteState.WRITING}:
                self._set_read(uuid, state=wire.WriteState.CANCELLED)
            return Answer(202)
        return as_json(200, read.answer) if read else problem(404, wire.ProblemType.NOT_FOUND)

    def _put_read(self, uuid: UUID, order: wire.ReadOrder) -> Answer:
        drive = self.drive(order.drive)
        if drive is None or drive.role != wire.Role.SOURCE:
            return problem(422, wire.ProblemType.INVALID, "This writer has no such source drive.", "drive")
        if uuid in self.refused:
            return problem(409, wire.ProblemType.CANCELLED)
        if (known := self.reads.get(uuid)) is not None:
            return as_json(200, known.answer) if known.order == order else problem(409, wire.ProblemType.DIFFERENT_BODY)
        accepted = wire.WriteState.ACCEPTED
        self.reads[uuid] = FakeRead(order, wire.ReadAnswer(uuid=uuid, state=accepted, drive=order.drive))
        self.sequence += 1
        return as_json(201, self.reads[uuid].answer)

    def _set_read(self, uuid: UUID, **values: Any) -> None:
        self.reads[uuid].answer = self.reads[uuid].answer.model_copy(update=values)
        self.sequence += 1


def _is_reserved(drive: wire.DriveFact) -> bool:
    return drive.role == wire.Role.SOURCE or PAUSED in drive.reasons
