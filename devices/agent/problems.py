"""How the agent says no: one exception, and the answers made of it (`application/problem+json`).

Must never decide anything.
"""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from devices.agent.wire import About, Problem, ProblemType

log = logging.getLogger("agent")

MEDIA_TYPE: Final = "application/problem+json"


class RefusedError(Exception):
    """A call that is not followed. `field` is the key of the body (or the path) that is wrong."""

    def __init__(self, status: int, type_: ProblemType, detail: str, field: str | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.type = type_
        self.detail = detail
        self.field = field


def invalid(field: str, detail: str) -> RefusedError:
    return RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, ProblemType.INVALID, detail, field)


def conflict(type_: ProblemType, detail: str) -> RefusedError:
    return RefusedError(HTTPStatus.CONFLICT, type_, detail)


def not_found(detail: str) -> RefusedError:
    return RefusedError(HTTPStatus.NOT_FOUND, ProblemType.NOT_FOUND, detail)


def answer(refusal: RefusedError, headers: Mapping[str, str] | None = None, agent: About | None = None) -> Response:
    problem = Problem(
        type=refusal.type,
        title=HTTPStatus(refusal.status).phrase,
        detail=refusal.detail,
        field=refusal.field,
        agent=agent,
    )
    text = problem.model_dump_json(exclude={"agent"} if agent is None else None)
    return Response(text, refusal.status, dict(headers or {}), media_type=MEDIA_TYPE)


def answer_with_problems(app: FastAPI) -> None:
    """Make every fault of `app` a problem, those of the framework too."""
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(sqlite3.OperationalError, _journal_stuck)
    app.add_exception_handler(Exception, _broken)


def _refused(_: Request, fault: Exception) -> Response:
    assert isinstance(fault, RefusedError)  # noqa: S101 — registered for this type only
    return answer(fault)


def _invalid(_: Request, fault: Exception) -> Response:
    assert isinstance(fault, RequestValidationError)  # noqa: S101 — registered for this type only
    first: Mapping[str, Any] = fault.errors()[0]
    where = [str(part) for part in first["loc"] if part not in ("body", "path", "query", "header")]
    if first["type"] == "json_invalid":
        where = []
    return answer(invalid(".".join(where) or "body", str(first["msg"])))


def _framework(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, HTTPException)  # noqa: S101 — registered for this type only
    if fault.status_code == HTTPStatus.BAD_REQUEST:
        return answer(invalid("body", str(fault.detail)))
    missing = fault.status_code == HTTPStatus.NOT_FOUND
    type_ = ProblemType.NOT_FOUND if missing else ProblemType.INVALID
    detail = "There is nothing at this address." if missing else str(fault.detail)
    headers = dict(fault.headers or {})
    if fault.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = _allowed(request)
    return answer(RefusedError(fault.status_code, type_, detail), headers)


def _allowed(request: Request) -> str:
    """The framework names only the methods of the first route that fits; RFC 9110 wants those of the address."""
    paths: dict[str, dict[str, object]] = request.app.openapi()["paths"]
    for path, methods in paths.items():
        if re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)), request.url.path):
            return ", ".join(sorted(method.upper() for method in methods))
    return "GET"


def _journal_stuck(_: Request, fault: Exception) -> Response:
    log.error("journal: %s", fault)
    refusal = RefusedError(
        HTTPStatus.INSUFFICIENT_STORAGE,
        ProblemType.SPOOL_AREA_FULL,
        f"The journal can't be written ({fault}): nothing was accepted. Make room on the writer's disk.",
    )
    return answer(refusal)


def _broken(_: Request, fault: Exception) -> Response:
    refusal = RefusedError(
        HTTPStatus.INTERNAL_SERVER_ERROR, ProblemType.INVALID, f"The agent failed: {type(fault).__name__}."
    )
    return answer(refusal)
