"""Calls one agent over HTTP: to the checked IP only, no redirects, no proxies, bounded time and size.

Knows the contract's shapes and nothing of the database. Must never be called inside a transaction.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote
from uuid import UUID

import urllib3
from pydantic import BaseModel, ValidationError
from structlog.contextvars import get_contextvars
from urllib3.exceptions import HTTPError

from devices.addresses import Target
from devices.agent import wire
from devices.text import clean

CONNECT_SECONDS: Final = 3.0
READ_SECONDS: Final = 10.0  # between two pieces of an answer
WHOLE_SECONDS: Final = 20.0  # for a whole answer: a dripping agent must not hold a worker
MAX_ANSWER: Final = 8 * 1024 * 1024  # bytes; the largest states carry some thousand images
_PIECE: Final = 64 * 1024
_BLOCK: Final = 1 << 20  # of an image

Message = TypeVar("Message", bound=BaseModel)


class AgentError(Exception):
    """A call to an agent did not do what it was for."""


class AgentUnreachable(AgentError):
    """Nothing was answered, or the machine in front of the agent failed: whether it was done is not known."""


class AgentFailed(AgentUnreachable):
    """It, or the machine in front of it, failed over this call (5xx)."""


class AgentUnauthorized(AgentError):
    """The agent does not take our command token: its accept.tokens_sha256 holds another."""


class AgentConfused(AgentError):
    """Something answered, but not as an agent of this protocol does."""


class AgentRefused(AgentError):
    """The agent said no, and why: `type` is the keyword, `field` what it named."""

    def __init__(self, status: int, problem: wire.Problem) -> None:
        super().__init__(problem.detail or problem.title or problem.type)
        self.status = status
        self.type = problem.type
        self.detail = clean(problem.detail or problem.title, 500)
        self.field = problem.field
        self.agent = problem.agent


class AgentClient:
    """One agent. `tokens` are tried in order: two while the command token is rotated.

    `token_used` is the one that the agent took last; `journal` goes with every write.
    """

    def __init__(self, target: Target, tokens: Sequence[str], journal: UUID | None = None) -> None:
        self.journal = journal
        self.token_used: str | None = None
        self._tokens = list(tokens)
        self._host = target.address.netloc
        time_outs = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
        options: dict[str, Any] = {"timeout": time_outs, "retries": False, "maxsize": 1}
        self._pool: urllib3.HTTPConnectionPool
        if target.address.scheme == "https":
            # The certificate is checked against the name, although the IP is dialled.
            options |= {"server_hostname": target.address.host, "assert_hostname": target.address.host}
            self._pool = urllib3.HTTPSConnectionPool(target.ip, target.address.port, **options)
        else:
            self._pool = urllib3.HTTPConnectionPool(target.ip, target.address.port, **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        self._pool.close()

    def state(self) -> wire.State:
        return self._ask("GET", "/v1/state", wire.State)

    def announce_image(self, sha256: str, order: wire.ImageOrder) -> wire.ImageAnswer:
        """Have this image fetched; `state` says how far it is. Repeating it costs nothing."""
        return self._ask("PUT", f"/v1/images/{sha256}", wire.ImageAnswer, order)

    def image(self, sha256: str) -> wire.ImageAnswer:
        return self._ask("GET", f"/v1/images/{sha256}", wire.ImageAnswer)

    def drop_image(self, sha256: str) -> None:
        self._call("DELETE", f"/v1/images/{sha256}")

    def put_write(self, uuid: UUID, order: wire.WriteOrder) -> wire.WriteAnswer:
        """Give the write. The same body again is answered with the present state."""
        return self._ask("PUT", f"/v1/writes/{uuid}", wire.WriteAnswer, order, with_journal=True)

    def write(self, uuid: UUID) -> wire.WriteAnswer | None:
        """The write as the agent has it; None: it does not know it."""
        return self._look(f"/v1/writes/{uuid}", wire.WriteAnswer)

    def cancel_write(self, uuid: UUID) -> None:
        self._call("DELETE", f"/v1/writes/{uuid}")

    def put_read(self, uuid: UUID, order: wire.ReadOrder) -> wire.ReadAnswer:
        """Have the disc in a source drive read. The same body again is answered with the present state."""
        return self._ask("PUT", f"/v1/reads/{uuid}", wire.ReadAnswer, order, with_journal=True)

    def read(self, uuid: UUID) -> wire.ReadAnswer | None:
        """The read as the agent has it; None: it does not know it."""
        return self._look(f"/v1/reads/{uuid}", wire.ReadAnswer)

    def cancel_read(self, uuid: UUID) -> None:
        self._call("DELETE", f"/v1/reads/{uuid}")

    def order_drive(self, drive: str, verb: wire.DriveVerb, word: wire.DriveWord) -> None:
        """An operator's word to the drive."""
        self._call("POST", f"/v1/drives/{quote(drive, safe='')}/{verb}", word)

    def about(self) -> wire.About | None:
        """What the agent tells anybody, asked without a token; None: it does not advertise itself."""
        headers = {"Host": self._host, "Accept": "application/json, application/problem+json"}
        status, answer = self._send("GET", "/v1/state", headers, None)
        try:
            _taken(status, answer)
        except AgentRefused as refused:
            if refused.status == 401:
                return refused.agent
            raise
        raise AgentConfused("It tells its state to anybody, as no agent does.")

    def _look(self, path: str, shape: type[Message]) -> Message | None:
        try:
            return self._ask("GET", path, shape)
        except AgentRefused as refused:
            if refused.status == 404:
                return None
            raise

    def image_content(self, sha256: str, first: int = 0) -> Iterator[bytes]:
        """The image's bytes from `first` on, piece by piece. Raises AgentUnreachable where they break off."""
        for token in self._tokens:
            headers = {"Host": self._host, "Range": f"bytes={first}-", "Authorization": f"Bearer {token}"}
            try:
                response = self._pool.request(
                    "GET", f"/v1/images/{sha256}/content", headers=headers, redirect=False, preload_content=False
                )
                try:
                    if response.status == 401:
                        continue
                    self._keep(token)
                    _check_content(response, first)
                    while piece := response.read(_BLOCK, decode_content=False):
                        yield piece
                    return
                finally:
                    response.close()
            except (HTTPError, OSError) as error:
                raise AgentUnreachable(_plainly(error)) from error
        raise AgentUnauthorized(AgentUnauthorized.__doc__)

    def _ask(
        self,
        method: str,
        path: str,
        shape: type[Message],
        body: BaseModel | None = None,
        *,
        with_journal: bool = False,
    ) -> Message:
        answer = self._call(method, path, body, with_journal=with_journal)
        return _read(shape, answer)

    def _call(self, method: str, path: str, body: BaseModel | None = None, *, with_journal: bool = False) -> bytes:
        headers = {"Host": self._host, "Accept": "application/json, application/problem+json"}
        # What this call is about, so that the agent's log names it as ours does.
        said = get_contextvars()
        for name, header in (("order", wire.ORDER_HEADER), ("request_id", wire.REQUEST_HEADER)):
            if value := said.get(name):
                headers[header] = str(value)
        if with_journal and self.journal:
            headers[wire.JOURNAL_HEADER] = str(self.journal)
        data = None
        if body is not None:
            data = body.model_dump_json(exclude_none=True).encode()
            headers["Content-Type"] = "application/json"
        for token in self._tokens:
            status, answer = self._send(method, path, headers | {"Authorization": f"Bearer {token}"}, data)
            if status != 401:
                self._keep(token)
                return _taken(status, answer)
        raise AgentUnauthorized(AgentUnauthorized.__doc__)

    def _keep(self, token: str) -> None:
        self.token_used = token
        self._tokens = [token]

    def _send(
        self, method: str, path: str, headers: dict[str, str], data: bytes | None
    ) -> tuple[int, tuple[str, bytes]]:
        deadline = time.monotonic() + WHOLE_SECONDS
        try:
            response = self._pool.request(
                method, path, body=data, headers=headers, redirect=False, preload_content=False
            )
            try:
                content = _bounded(response, deadline)
            except BaseException:
                response.close()  # with its connection: the rest of this answer must not greet the next call
                raise
            response.release_conn()
        except (HTTPError, OSError) as error:
            raise AgentUnreachable(_plainly(error)) from error
        return response.status, (response.headers.get("Content-Type", ""), content)


def _check_content(response: urllib3.BaseHTTPResponse, first: int) -> None:
    """That what follows is an image from `first` on, and not the page of a machine in between."""
    kind = response.headers.get("Content-Type", "")
    if response.status not in {200, 206}:
        _taken(response.status, (kind, _bounded(response, time.monotonic() + WHOLE_SECONDS)))
    if kind.partition(";")[0].strip().lower() != "application/octet-stream":
        raise AgentConfused(f"It answers {kind or 'something without a type'}, not an image.")
    said = response.headers.get("Content-Range", "")
    begins = said.removeprefix("bytes ").partition("-")[0] if response.status == 206 else "0"
    if begins != str(first):
        raise AgentConfused(f"It sends the image from byte {begins} on, where byte {first} was asked for.")


def _bounded(response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while piece := response.read1(_PIECE, decode_content=False):
        size += len(piece)
        if size > MAX_ANSWER:
            raise AgentConfused(f"It answers with more than {MAX_ANSWER} bytes.")
        if time.monotonic() > deadline:
            raise AgentUnreachable(f"Its answer was not whole after {WHOLE_SECONDS:.0f} s.")
        pieces.append(piece)
    return b"".join(pieces)


def _taken(status: int, answer: tuple[str, bytes]) -> bytes:
    """The content of a success; any other status is raised as what it means."""
    content_type, content = answer
    kind = content_type.partition(";")[0].strip().lower()
    if status in {200, 201, 202, 204}:
        if content and kind != "application/json":
            raise AgentConfused(f"It answers {kind or 'something without a type'}, not JSON.")
        return content
    if status >= 500 and status != 507:
        raise AgentFailed(f"It answered {status}.")
    if kind != "application/problem+json":
        raise AgentConfused(f"It answered {status} with {kind or 'no type'}, not as an agent does.")
    raise AgentRefused(status, _read(wire.Problem, content))


def _read(shape: type[Message], content: bytes) -> Message:
    try:
        return shape.model_validate_json(content)
    except ValidationError as error:
        raise AgentConfused(f"Its {shape.__name__} is not what protocol 1 says: {first_fault(error)}") from error


def first_fault(error: ValidationError) -> str:
    """The first thing wrong with a message, with the path of its field."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "body"
    return clean(f"{where}: {first['msg']}", 300)


def _plainly(error: Exception) -> str:
    """What went wrong, without the names of our libraries' objects."""
    cause = error.__cause__ or error
    if isinstance(cause, ConnectionRefusedError):
        return "Nothing listens there (connection refused)."
    if isinstance(error, urllib3.exceptions.NewConnectionError):  # a ConnectTimeoutError too, to urllib3
        return clean(str(cause), 300)
    if isinstance(error, urllib3.exceptions.ConnectTimeoutError):
        return f"Nothing answered within {CONNECT_SECONDS:.0f} s."
    if isinstance(error, urllib3.exceptions.ReadTimeoutError):
        return f"It took the call and said nothing for {READ_SECONDS:.0f} s."
    if isinstance(error, urllib3.exceptions.SSLError):
        return clean(f"Its TLS certificate was not accepted: {error}", 300)
    return clean(str(cause) or type(cause).__name__, 300)
