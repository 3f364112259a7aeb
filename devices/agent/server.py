"""The agent's REST door: takes commands into the journal and tells what is.

Must never touch a drive: the press finds what was accepted.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Header, Request, Response
from fastapi import Path as InPath
from fastapi.responses import StreamingResponse
from fastapi.security import HTTPBearer

from devices.agent.config import Config, Drive
from devices.agent.door import Door
from devices.agent.fetch import Fetcher
from devices.agent.journal import Journal, utc_now
from devices.agent.ledger import Ledger
from devices.agent.press import Press
from devices.agent.problems import (
    MEDIA_TYPE,
    RefusedError,
    answer_with_problems,
    conflict,
    invalid,
    not_found,
)
from devices.agent.state import Mirror
from devices.agent.store import Store
from devices.agent.tokens import Tokens
from devices.agent.trace import remember_order
from devices.agent.wire import (
    JOURNAL_HEADER,
    PROTOCOL,
    SHA256_PATTERN,
    DriveFact,
    ImageAnswer,
    ImageOrder,
    ImageState,
    Layout,
    Problem,
    ProblemType,
    Role,
    State,
    WriteAnswer,
    WriteOrder,
)

log = logging.getLogger("agent")

BLOCK: Final = 1 << 20
RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)$")

Digest = Annotated[str, InPath(pattern=SHA256_PATTERN)]
KnownJournal = Annotated[str | None, Header(alias=JOURNAL_HEADER)]


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    content = {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}
    return {status: {"description": "a problem", "content": content} for status in statuses}


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes speak to."""

    config: Config
    journal: Journal
    ledger: Ledger
    store: Store
    fetcher: Fetcher
    press: Press
    mirror: Mirror


def make_app(parts: Parts, tokens: Tokens) -> FastAPI:
    app = FastAPI(
        title="Spindle agent",
        version=str(PROTOCOL),
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        # The door has checked the token already; this only puts it on the OpenAPI page.
        dependencies=[Depends(HTTPBearer(auto_error=False))],
        responses=_problems(401, 413, 422, 507),
        strict_content_type=False,
        redirect_slashes=False,
    )
    answer_with_problems(app)
    app.include_router(_state_routes(parts), prefix="/v1")
    app.include_router(_image_routes(parts), prefix="/v1/images")
    app.include_router(_write_routes(parts), prefix="/v1/writes")
    app.include_router(_drive_routes(parts), prefix="/v1/drives")
    app.add_middleware(Door, tokens=tokens)
    return app


def _state_routes(parts: Parts) -> APIRouter:
    router = APIRouter()

    @router.get("/state")
    def state() -> State:
        return parts.mirror.state()

    return router


def _image_routes(parts: Parts) -> APIRouter:
    router = APIRouter()
    store = parts.store

    @router.put("/{sha256}", status_code=202, responses={200: {"model": ImageAnswer}, **_problems(409)})
    def announce(sha256: Digest, order: ImageOrder, response: Response) -> ImageAnswer:
        if order.layout is Layout.AUDIO:
            raise invalid("layout", "This agent doesn't write audio discs yet: announce iso or face.")
        store.trusted(sha256)
        stored = store.announce(sha256, order, utc_now())
        if stored.state is ImageState.READY:
            response.status_code = 200
        else:
            parts.fetcher.want([sha256])
        return store.answer(stored)

    @router.get("/{sha256}", responses=_problems(404))
    def image(sha256: Digest) -> ImageAnswer:
        stored = store.find(sha256)
        if stored is None:
            raise not_found(f"Image {sha256} was not announced here.")
        return store.answer(stored)

    @router.delete("/{sha256}", status_code=204, responses=_problems(404, 409))
    def purge(sha256: Digest) -> None:
        if not store.purge(sha256):
            raise not_found(f"Image {sha256} was not announced here.")
        log.info("image %s: purged", sha256)

    @router.get(
        "/{sha256}/content",
        response_class=StreamingResponse,
        responses={
            200: {"content": {"application/octet-stream": {}}},
            206: {"content": {"application/octet-stream": {}}},
            **_problems(404, 416),
        },
    )
    def content(sha256: Digest, request: Request) -> Response:
        stored = store.trusted(sha256)
        if stored is None:
            raise not_found(f"Image {sha256} is not ready here.")
        return _stream(store.path(sha256), stored.size, sha256, request.headers.get("range"))

    return router


def _write_routes(parts: Parts) -> APIRouter:
    router = APIRouter()

    @router.put("/{uuid}", status_code=201, responses={200: {"model": WriteAnswer}, **_problems(409)})
    def accept(uuid: UUID, order: WriteOrder, response: Response, journal: KnownJournal = None) -> WriteAnswer:
        if journal is not None and journal.strip().lower() != str(parts.journal.journal_id):
            detail = f"This writer's journal is {parts.journal.journal_id}; nothing was accepted."
            raise conflict(ProblemType.OTHER_JOURNAL, detail)
        if not parts.ledger.knows(uuid, order):
            check_order(order, parts.config.drives, parts.store, parts.press.is_drained)
        if parts.ledger.accept(uuid, order, utc_now()):
            remember_order(parts.journal, uuid)
            log.info("write %s: accepted, %d discs of %s", uuid, len(order.discs), order.image)
        else:
            response.status_code = 200
        return _known(parts.ledger, uuid)

    @router.get("/{uuid}", responses=_problems(404))
    def write(uuid: UUID) -> WriteAnswer:
        return _known(parts.ledger, uuid)

    @router.delete("/{uuid}", status_code=202)
    def cancel(uuid: UUID) -> WriteAnswer:
        parts.ledger.cancel(uuid, utc_now())
        log.info("write %s: cancelled; a started disc is finished", uuid)
        return _known(parts.ledger, uuid)

    return router


def _drive_routes(parts: Parts) -> APIRouter:
    router = APIRouter()

    def order(drive: str, *, drained: bool) -> DriveFact:
        if drive not in parts.press.seats:
            raise not_found(f"This writer has no drive {drive!r}.")
        parts.press.drain(drive, drained=drained)
        return parts.press.seats[drive].fact()

    @router.post("/{drive}/drain", status_code=202, responses=_problems(404))
    def drain(drive: str) -> DriveFact:
        return order(drive, drained=True)

    @router.post("/{drive}/resume", status_code=202, responses=_problems(404))
    def resume(drive: str) -> DriveFact:
        return order(drive, drained=False)

    return router


def _known(ledger: Ledger, uuid: UUID) -> WriteAnswer:
    found = ledger.find(uuid)
    if found is None:
        raise not_found(f"Write {uuid} is not known here.")
    return found


def check_order(order: WriteOrder, drives: tuple[Drive, ...], store: Store, is_drained: Callable[[str], bool]) -> None:
    """Can this writer ever follow it? Raises RefusedError: 422 naming the field, 409 drive-reserved."""
    serials = [disc.serial for disc in order.discs]
    if len(set(serials)) != len(serials):
        raise invalid("discs", "A serial is there twice; each disc needs its own.")
    copiers = [drive for drive in drives if drive.role is Role.COPIER]
    if order.drive is not None:
        named = next((drive for drive in drives if drive.id == order.drive), None)
        if named is None:
            raise invalid("drive", f"This writer has no drive {order.drive!r}.")
        if named.role is Role.SOURCE or is_drained(named.id):
            why = "a source drive" if named.role is Role.SOURCE else "drained"
            raise conflict(ProblemType.DRIVE_RESERVED, f"Drive {named.id} is {why}: name another one, or none.")
        copiers = [named]
    if not any(order.format in drive.formats for drive in copiers):
        raise invalid("format", f"No drive asked for takes {order.format}.")
    image = store.trusted(order.image)
    if image is not None and image.layout is not Layout.ISO:
        raise invalid("image", f"{order.image} is a {image.layout}, not an image to write.")
    for disc in order.discs:
        face = store.trusted(disc.face) if disc.face is not None else None
        if face is not None and face.layout is not Layout.FACE:
            raise invalid("discs", f"{disc.face} was announced as {face.layout}, not as a face.")


def _stream(path: Path, size: int, digest: str, asked: str | None) -> Response:
    first, last = _span(asked, size)
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": f'"{digest}"',
        "Content-Length": str(last - first + 1),
    }
    status = 200
    if (first, last) != (0, size - 1) or (asked and RANGE.match(asked)):
        status = 206
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    return StreamingResponse(
        _blocks(path, first, last - first + 1), status, headers, media_type="application/octet-stream"
    )


def _span(asked: str | None, size: int) -> tuple[int, int]:
    """First and last byte. What isn't one plain range is passed over, as HTTP allows. Raises RefusedError (416)."""
    found = RANGE.match(asked.strip()) if asked else None
    if found is None or found.groups() == ("", ""):
        return 0, size - 1
    if found[1] == "":
        first, last = max(0, size - int(found[2])), size - 1
    else:
        first, last = int(found[1]), min(int(found[2]) if found[2] else size - 1, size - 1)
    if first > last:
        raise RefusedError(416, ProblemType.INVALID, f"The image has {size} bytes.", "Range")
    return first, last


def _blocks(path: Path, first: int, count: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(first)
        while count and (block := file.read(min(BLOCK, count))):
            count -= len(block)
            yield block
