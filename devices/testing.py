"""An agent without drives, for tests and trials: follows the contract over real HTTP, keeps everything in memory.

Nothing happens by itself: whoever holds it starts and ends its discs, and decides what it answers next.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from uuid import UUID, uuid4

from pydantic import ValidationError

from devices.agent import wire
from devices.tokens import fingerprint

_OPEN = {wire.DiscState.PLANNED, wire.DiscState.STARTED}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class FakeWrite:
    order: wire.WriteOrder
    discs: dict[str, wire.DiscResult]

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


def problem(status: int, type_: str, detail: str = "", field_: str | None = None) -> Answer:
    body = {"type": type_, "title": type_, "detail": detail or type_, "field": field_}
    return Answer(status, json.dumps(body).encode(), "application/problem+json")


class FakeAgent:
    """Use as a context manager; `address` is where it listens.

    `next_answers` are given, in order, to the next calls whose "METHOD /path" begins with their key.
    """

    def __init__(self, writer: UUID, command_tokens: Iterable[str], *, drives: int = 2) -> None:
        self.writer = writer
        self.accepts = {fingerprint(token) for token in command_tokens}
        self.journal_id, self.boot_id, self.sequence = uuid4(), uuid4(), 1
        self.protocol = wire.PROTOCOL
        self.drives = [self._drive(f"d{number + 1}") for number in range(drives)]
        self.blanks: list[wire.BlankFact] = []
        self.images: dict[str, wire.ImageFact] = {}
        self.new_images = wire.ImageState.READY  # what an announced image is at once
        self.why_failed = "its digest is another"
        self.writes: dict[UUID, FakeWrite] = {}
        self.recorded: set[UUID] = set()
        self.refused: set[UUID] = set()
        self.calls: list[str] = []
        self.next_answers: dict[str, deque[Answer]] = {}
        self._lock = threading.RLock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
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
            now = datetime.now(UTC)
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

    def restart(self) -> None:
        self.boot_id = uuid4()
        self.sequence += 1

    def lose_journal(self) -> None:
        self.journal_id, self.boot_id, self.sequence = uuid4(), uuid4(), 1
        self.writes, self.recorded, self.refused = {}, set(), set()

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
                time=datetime.now(UTC),
                drives=tuple(self.drives),
                blanks=tuple(self.blanks),
                disk=wire.DiskFact(capacity=10**12, free=10**11),
                images=images if with_images else None,
                images_digest=fingerprint("".join(image.model_dump_json() for image in images)),
                writes=tuple(write.answer(uuid) for uuid, write in self.writes.items() if uuid not in self.recorded),
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
                return problem(401, wire.ProblemType.UNAUTHORIZED)
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
                return _json(200, self.state())
            case _, ["v1", "images", sha256]:
                return self._image(method, sha256, body)
            case _, ["v1", "writes", uuid]:
                return self._write(method, UUID(uuid), headers, body)
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
        return _json(200 if ready or method == "GET" else 202, answer)

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
                return _json(200, wire.WriteAnswer(uuid=uuid, state=wire.WriteState.CANCELLED, discs=()))
            return problem(404, wire.ProblemType.NOT_FOUND)
        return _json(200, write.answer(uuid))

    def _put_write(self, uuid: UUID, order: wire.WriteOrder, headers: Any) -> Answer:
        journal = headers.get(wire.JOURNAL_HEADER)
        if journal is not None and journal != str(self.journal_id):
            return problem(409, wire.ProblemType.OTHER_JOURNAL)
        if uuid in self.refused:
            return problem(409, wire.ProblemType.CANCELLED)
        if (known := self.writes.get(uuid)) is not None:
            if known.order != order:
                return problem(409, wire.ProblemType.DIFFERENT_BODY)
            return _json(200, known.answer(uuid))
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
        return _json(201, self.writes[uuid].answer(uuid))


def _json(status: int, message: Any) -> Answer:
    return Answer(status, message.model_dump_json().encode())


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a caller that hangs up is no fault
            super().handle_error(request, client_address)


def _handler(agent: FakeAgent) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10
        wbufsize = -1  # headers and body in one packet: in two, the second waits 40 ms for the first one's ACK

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = agent.take_call(self.command, self.path, self.headers, body)
            self.send_response(answer.status)
            if answer.status != 204:
                self.send_header("Content-Type", answer.content_type)
                self.send_header("Content-Length", str(len(answer.body)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815  (the names http.server calls)

        def log_message(self, format: str, *args: Any) -> None:
            """Tests read `calls` instead."""

    return Handler
