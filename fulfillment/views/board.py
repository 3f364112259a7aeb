"""The staff board: all open orders, the drives' timeline, and the question «what if»."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from fulfillment.board import drives, reading
from fulfillment.board import what_if as asked
from fulfillment.board.asking import WhatIfForm
from fulfillment.board.page import page
from fulfillment.views.staff import part, staff_page


@staff_page("fulfillment.view_shipment")
@require_safe
def show(request: HttpRequest) -> HttpResponse:
    return render(request, "plant/board.html", _context(request))


@staff_page("fulfillment.view_shipment")
@require_safe
def now(request: HttpRequest) -> HttpResponse:
    return part(request, "plant/_board.html", _context(request))


@staff_page("fulfillment.view_shipment")
@require_safe
def what_if(request: HttpRequest) -> HttpResponse:
    """A form by GET: what it asks is its address, and nothing is done."""
    at = timezone.now()
    context: dict[str, Any] = {"here": "board"}
    plan = reading.planned(at)
    if plan is None:
        return render(request, "plant/what_if.html", context)
    snapshot, jobs = asked.seen(plan), reading.jobs_by_shipment()
    names = drives.writers(drives.copiers())
    writers = {each.id: names[each.id] for each in snapshot.writers if each.id in names}
    form = WhatIfForm(request.GET or None, jobs, {job.id for job in snapshot.jobs}, writers)
    context |= {"form": form, "plan": plan}
    status = 200
    if form.is_bound and not form.is_valid():
        status = 422
    elif form.is_bound and not form.change().is_none:
        context |= {"answer": asked.answer(plan, snapshot, form.change(), jobs, at)}
        if drained := form.cleaned_data["drain"]:
            context |= {"drained": drives.uuid_of(drained)}
    return render(request, "plant/what_if.html", context, status=status)


def _context(request: HttpRequest) -> dict[str, Any]:
    seen = page(request.GET.dict(), timezone.now())
    return {"here": "board", "page": seen, "board": seen.board, "query": request.GET.urlencode()}
