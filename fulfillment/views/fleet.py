"""The fleet: a card for each writer, those in trouble first, and agents that want to be writers."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from devices import silence
from fulfillment.fleet import newcomers, reading
from fulfillment.fleet.board import board
from fulfillment.views.staff import part, staff_page


@staff_page("devices.view_writer")
@require_safe
def show(request: HttpRequest) -> HttpResponse:
    return render(request, "plant/fleet.html", _context(request))


@staff_page("devices.view_writer")
@require_safe
def cards(request: HttpRequest) -> HttpResponse:
    return part(request, "plant/_fleet.html", _context(request))


def _context(request: HttpRequest) -> dict[str, Any]:
    now = timezone.now()
    seen = board(reading.cards(now), request.GET.dict())
    return {
        "here": "fleet",
        "board": seen,
        "doubt": silence.doubt(),
        "query": request.GET.urlencode(),
        "seen": newcomers.seen(now),
    }
