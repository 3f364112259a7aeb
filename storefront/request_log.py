"""Gives every request an id, binds it to all that is logged meanwhile, and says how the request ended.

Must never log a path, a query, a form or a header: they hold private links and what people typed.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponseBase
from structlog.contextvars import bind_contextvars, clear_contextvars

from storefront.logs import route_of

HEADER: Final = "X-Request-ID"
SANE: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")

log = logging.getLogger(__name__)


class RequestLog:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get(HEADER, "")
        request_id = given if SANE.fullmatch(given) else secrets.token_hex(8)
        clear_contextvars()  # a thread serves one request after another
        bind_contextvars(request_id=request_id)
        began = time.monotonic()
        try:
            response = self._get_response(request)
            _tell(request, response.status_code, time.monotonic() - began)
        finally:
            clear_contextvars()
        response[HEADER] = request_id
        return response


def _tell(request: HttpRequest, status: int, seconds: float) -> None:
    """Pages that were only looked at and agents' reports come every few seconds: they are there at DEBUG."""
    route = route_of(request)
    looked = request.method in {"GET", "HEAD"} or route.startswith("api/")
    level = logging.DEBUG if looked and status < 400 else logging.INFO
    about = {"method": request.method, "route": route, "status": status, "seconds": round(seconds, 4)}
    log.log(level, "%s %s: %s", request.method, route, status, extra=about)
