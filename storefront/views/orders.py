"""The customer's private page: what was ordered, where it stands, and when it comes."""

from __future__ import annotations

import hashlib
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from storefront import tracking
from storefront.models import Order

HTMX_STOP = 286  # htmx: take this, and poll no more


def _order(token: str) -> Order:
    return get_object_or_404(Order.objects.select_related("shipment", "service"), token=token)


def _context(order: Order) -> dict[str, Any]:
    return {"order": order, "track": tracking.of(order)}


@never_cache
@require_safe
def show(request: HttpRequest, token: str) -> HttpResponse:
    response = render(request, "orders/show.html", _context(_order(token)))
    response["Referrer-Policy"] = "no-referrer"  # the address is the key
    response["X-Robots-Tag"] = "noindex"
    return response


@require_safe
def progress(request: HttpRequest, token: str) -> HttpResponse:
    """The part of the page that changes. An unchanged one costs 304 and no bytes."""
    context = _context(_order(token))
    response = render(request, "orders/_progress.html", context)
    etag = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
    if request.headers.get("If-None-Match") == etag:
        return HttpResponseNotModified(headers={"ETag": etag})
    if context["track"].finished and request.headers.get("HX-Request"):
        response.status_code = HTMX_STOP
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    return response
