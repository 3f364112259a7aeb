"""The customer's private page: what was ordered, where it stands, and when it comes."""

from __future__ import annotations

import hashlib
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from structlog.contextvars import bind_contextvars

from storefront import cancelling, tracking
from storefront.models import Order
from storefront.payer import PayerRefused, PayerUnreachable
from storefront.tasks import nudge_money

SAID = {
    cancelling.Outcome.CANCELLED: (messages.success, "Your order is cancelled. Nothing was charged."),
    cancelling.Outcome.REQUESTED: (messages.success, "Your order is cancelled. Your money is on its way back."),
    cancelling.Outcome.ALREADY: (messages.info, "This order is cancelled already."),
    cancelling.Outcome.UNDER_WAY: (
        messages.warning,
        "Your payment is on its way and can't be stopped. Cancel when it has arrived, or write to us.",
    ),
    cancelling.Outcome.TOO_LATE: (
        messages.warning,
        "Your parcel is packed or on its way, so it can't be cancelled here. Write to us: we do what we can.",
    ),
}
HTMX_STOP = 286  # htmx: take this, and poll no more


def _order(token: str) -> Order:
    order = get_object_or_404(Order.objects.select_related("shipment", "service"), token=token)
    bind_contextvars(**order.about)
    return order


def _context(order: Order) -> dict[str, Any]:
    return {"order": order, "track": tracking.of(order)}


@never_cache
@require_safe
def show(request: HttpRequest, token: str) -> HttpResponse:
    response = render(request, "orders/show.html", _context(_order(token)))
    response["Referrer-Policy"] = "no-referrer"  # the address is the key
    response["X-Robots-Tag"] = "noindex"
    return response


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HttpRequest, token: str) -> HttpResponse:
    """Asks once more, then cancels. Works without a script; sent twice, it is done once."""
    order = _order(token)
    if request.method != "POST":
        if not cancelling.possible(order):
            return redirect(order)
        response = render(request, "orders/cancel.html", {"order": order})
        response["Referrer-Policy"] = "same-origin"  # the form's own check wants to know where it came from
        response["X-Robots-Tag"] = "noindex"
        return response
    try:
        outcome = cancelling.cancel(order, actor="customer", now=timezone.now(), text="by the customer")
    except (PayerUnreachable, PayerRefused):
        messages.error(request, "The payment page can't be closed now, so nothing was changed. Try again in a minute.")
        return redirect(order)
    if outcome is cancelling.Outcome.REQUESTED:
        nudge_money()
    tell, text = SAID[outcome]
    tell(request, text)
    return redirect(order)


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
