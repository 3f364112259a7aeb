"""Who may pass the plant's pages, and how a part of a page is sent only when it changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.admin.views.decorators import staff_member_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import render

View = Callable[..., HttpResponse]


def staff_page(*permissions: str) -> Callable[[View], View]:
    """Who is no staff is led to the admin's log-in; staff without these rights gets 403."""

    def guard(view: View) -> View:
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.has_perms(permissions):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        inner: View = staff_member_required(checked, login_url="admin:login")

        @wraps(view)
        def outer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.headers.get("HX-Request") and not request.user.is_staff:
                return HttpResponse(headers={"HX-Refresh": "true"})  # the log-in's page is no part of this one
            return inner(request, *args, **kwargs)

        return outer

    return guard


def part(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """The part of a page that changes. An unchanged one costs 304 and no bytes."""
    response = render(request, template, context)
    etag = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
    if request.headers.get("If-None-Match") == etag:
        return HttpResponseNotModified(headers={"ETag": etag})
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    return response
