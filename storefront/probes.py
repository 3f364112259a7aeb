"""Lets what monitors ask past everything that is meant for browsers: redirects to TLS, host checks, sessions.

Inside the deployment's own network a probe comes by plain HTTP, under any host name or a bare IP.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponseBase
from django.urls import resolve

PATHS: Final = frozenset({"/healthz", "/readyz", "/metrics"})


class Probes:
    """The first middleware. The addresses themselves stand in the URLconf, like all others."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info not in PATHS:
            return self._get_response(request)
        answer: HttpResponseBase = resolve(request.path_info).func(request)
        return answer
