"""Lets only callers with the command token in, and no body that is too large. Knows no route but the open one."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from devices.agent.problems import RefusedError, answer
from devices.agent.tokens import Tokens
from devices.agent.trace import bind_caller
from devices.agent.wire import About, ProblemType

MOST_BYTES: Final = 1 << 20
MOST_DRAINED: Final = 8 << 20
OPEN: Final = "/v1/openapi.json"


class BrokenOffError(Exception):
    """The caller went before the body was whole."""


class Door:
    """ASGI middleware: it answers before a body is read. `about` goes with a 401, where the agent tells anybody."""

    def __init__(self, app: ASGIApp, tokens: Tokens, about: About | None) -> None:
        self._app = app
        self._tokens = tokens
        self._about = about

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == OPEN:
            await self._app(scope, receive, send)
            return
        headers = {name: value for name, value in scope["headers"]}
        bind_caller(headers)
        refusal = self._refusal(headers)
        if refusal is not None:
            stranger = refusal.status == HTTPStatus.UNAUTHORIZED
            extra = {"WWW-Authenticate": "Bearer"} if stranger else {}
            said = self._about if stranger else None
            await _drain(receive)
            await answer(refusal, {**extra, "Connection": "close"}, said)(scope, receive, send)
            return
        try:
            body = await _read(receive)
        except BrokenOffError:
            return  # nobody is there to be answered
        if body is None:
            await _drain(receive)
            await answer(_too_large(), {"Connection": "close"})(scope, receive, send)
            return
        await self._app(scope, _replay(body, receive), send)

    def _refusal(self, headers: dict[bytes, bytes]) -> RefusedError | None:
        scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not self._tokens.allows(token.strip()):
            detail = "Give this agent's command token: Authorization: Bearer …"
            return RefusedError(HTTPStatus.UNAUTHORIZED, ProblemType.UNAUTHORIZED, detail)
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > MOST_BYTES:
            return _too_large()
        return None


async def _read(receive: Receive) -> bytes | None:
    """The whole body; None where it is larger than allowed.

    Raises BrokenOffError: half a body is none. Taken for an empty one, a word about one disc would be a word about
    whichever lies in the drive.
    """
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BrokenOffError
        piece: bytes = message.get("body", b"")
        body += piece
        if len(body) > MOST_BYTES:
            return None
        if not message.get("more_body", False):
            return body


async def _drain(receive: Receive) -> None:
    """Take in what is being sent, within bounds: a caller whose sending breaks never reads the answer."""
    seen = 0
    while seen <= MOST_DRAINED:
        message = await receive()
        seen += len(message.get("body", b""))
        if not message.get("more_body", False):
            return


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def _too_large() -> RefusedError:
    detail = f"The body has more than {MOST_BYTES} bytes."
    return RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, ProblemType.INVALID, detail, "body")
