"""Who may pass a door of the API, and how often; and that a page of one visitor is kept by nobody else.

The default is nobody, so that a forgotten door stays shut.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated, Throttled
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from storefront import limits

if TYPE_CHECKING:  # DRF's views load this module while they are being loaded themselves
    from rest_framework.views import APIView


class Nobody(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return False


class WriterThrottle(BaseThrottle):
    """So many calls of one writer to one door."""

    seconds = 0

    def allow_request(self, request: Request, view: APIView) -> bool:
        key = limits.key("api", type(view).__name__, str(request.user))
        self.seconds = limits.take(key, settings.SPINDLE_WRITER_LIMIT, timezone.now())
        return self.seconds == 0

    def wait(self) -> float:
        return self.seconds


def answer_refusal(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: whoever comes without a token that fits is counted by address."""
    from rest_framework.views import exception_handler  # noqa: PLC0415  (as above: it loads this module)

    if isinstance(exc, AuthenticationFailed | NotAuthenticated) and (
        seconds := limits.strangers_wait(context["request"]._request, timezone.now())
    ):
        exc = Throttled(wait=seconds, detail="Too many calls without a token that fits.")
    return exception_handler(exc, context)


def private_pages(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: every page bears a cart or an order, so no cache between us and the visitor keeps it."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault("Cache-Control", "private, no-cache")
        return response

    return answer
