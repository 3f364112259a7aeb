"""The copy console: choose step by step by addresses, start by one form, watch a copy, confirm its end."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final
from uuid import UUID, uuid4

from django.contrib import messages
from django.contrib.auth.models import AbstractUser
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from archive.models import Upload, UploadState
from devices import resource_file
from devices.admin import actor_of
from devices.intake import NotAccepted
from devices.models import Writer
from devices.text import clean
from fulfillment.console import choices, intake, origins, showing
from fulfillment.console.intake import Wanted
from fulfillment.console.page import Chosen, console
from fulfillment.fleet import newcomers
from fulfillment.models import Copy
from fulfillment.views.staff import part, staff_page

may_look = staff_page("fulfillment.view_copy")
may_copy = staff_page("fulfillment.view_copy", "fulfillment.add_copy")
HTMX_STOP: Final = 286  # take this, and poll no more
UNFINISHED: Final = (UploadState.RECEIVING, UploadState.WAITING, UploadState.MAKING, UploadState.FAILED)


@may_look
@never_cache
@require_safe
def show(request: HttpRequest) -> HttpResponse:
    return _page(request, _chosen(request.GET), uuid4())


@may_look
@require_safe
def going(request: HttpRequest) -> HttpResponse:
    """What goes on and what ended: the part above the columns that changes by itself."""
    return part(request, "plant/_copies.html", _going())


@may_look
@require_safe
def sent(request: HttpRequest) -> HttpResponse:
    """Uploads on their way to an image."""
    return part(request, "plant/_uploads.html", _sent())


def _page(
    request: HttpRequest, chosen: Chosen, key: UUID, wrong: dict[str, str] | None = None, status: int = 200
) -> HttpResponse:
    now = timezone.now()
    context: dict[str, Any] = {"here": "console", "console": console(chosen, now, wrong), "key": key}
    context |= {"seen": newcomers.seen(now)} | _going() | _sent()
    return render(request, "plant/console.html", context, status=status)


def _going() -> dict[str, Any]:
    return {"copies": showing.on_top(timezone.now()), "earlier": showing.earlier()}


def _sent() -> dict[str, Any]:
    return {"uploads": Upload.objects.filter(state__in=UNFINISHED).order_by("-created_at")[:20]}


def _chosen(said: QueryDict) -> Chosen:
    copies = said.get("copies", "").strip()
    number = int(copies) if copies.isascii() and copies.isdecimal() and len(copies) < 7 else 0
    return Chosen(
        unit=said.get("unit", ""),
        what=said.get("from", ""),
        query=clean(said.get("q", "")[:100], 100).strip(),
        format=said.get("format", ""),
        drives=tuple(dict.fromkeys(said.getlist("drive"))),
        copies=number if "copies" in said else None,
    )


@may_copy
@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """One copy for each form, however often it is sent; what can't be started comes back with the reason beside it."""
    chosen = _chosen(request.POST)
    try:
        key = UUID(request.POST.get("copy", ""))
    except ValueError:
        return _page(request, chosen, uuid4(), {"copy": "This form was not whole. Start it again."}, status=422)
    try:
        return redirect(_started(chosen, key) or _start_once(request, chosen, key))
    except NotAccepted as refused:
        return _page(request, chosen, key, {refused.field: refused.text}, status=422)


def _started(chosen: Chosen, key: UUID) -> Copy | None:
    return intake.started(
        key,
        unit=chosen.unit,
        what=chosen.what,
        drives=chosen.drives,
        format=chosen.format,
        copies=chosen.copies or 0,
    )


def _start_once(request: HttpRequest, chosen: Chosen, key: UUID) -> Copy:
    """Raises NotAccepted."""
    try:
        return _start(request, chosen, key)
    except NotAccepted:
        # The other one of two clicks may have come between our look and our try, and holds what we wanted.
        if known := _started(chosen, key):
            return known
        raise


def _start(request: HttpRequest, chosen: Chosen, key: UUID) -> Copy:
    """Raises NotAccepted, too for what has gone since it was chosen."""
    now = timezone.now()
    files = resource_file.of_all(now, images=False)
    if (file := choices.with_images(files, chosen.unit, now)) is None:
        raise NotAccepted("unit", "Choose a unit.")
    if (what := origins.resolve(chosen.what, file, files)) is None:
        raise NotAccepted("from", "Choose what is to be copied.")
    if what.facts.waits:
        raise NotAccepted("from", what.facts.waits)
    wanted = Wanted(
        key=key,
        writer=Writer.objects.get(pk=file.pk),
        what=what.value,
        drives=chosen.drives,
        format=chosen.format,
        copies=chosen.copies or 0,
        title=what.name,
        origin=what.origin,
        image=what.image,
        source=origins.writer_of(what),
    )
    email = request.user.email if isinstance(request.user, AbstractUser) else ""
    return intake.start(wanted, actor=actor_of(request), email=email, now=now)


# --- One copy -------------------------------------------------------------------------------------


def _copy(copy_pk: UUID) -> Copy:
    return get_object_or_404(Copy.objects.select_related("writer", "source_writer"), pk=copy_pk)


@may_look
@never_cache
@require_safe
def copy(request: HttpRequest, copy_pk: UUID) -> HttpResponse:
    return render(request, "plant/copy.html", {"here": "console"} | _shown(copy_pk))


@may_look
@require_safe
def copy_now(request: HttpRequest, copy_pk: UUID) -> HttpResponse:
    """The part of a copy's page that changes by itself. Once its end was confirmed, the page asks no more."""
    shown = _shown(copy_pk)
    response = part(request, "plant/_copy.html", shown)
    if shown["copy"].seen_at and response.status_code == HTTPStatus.OK and request.headers.get("HX-Request"):
        response.status_code = HTMX_STOP
    return response


def _shown(copy_pk: UUID) -> dict[str, Any]:
    found = _copy(copy_pk)
    now = timezone.now()
    shown, asks = showing.show(found, now), showing.asks(found, now)
    return {"shown": shown, "copy": found, "asks": asks, "events": found.events.order_by("id")}


@may_copy
@require_POST
def cancel(request: HttpRequest, copy_pk: UUID) -> HttpResponse:
    found = _copy(copy_pk)
    if intake.cancel(found, actor=actor_of(request), now=timezone.now()):
        messages.success(request, "No more discs are begun. One that was begun is finished.")
    else:
        messages.info(request, "It was cancelled before, or it is over.")
    return redirect(found)


@may_copy
@require_POST
def give_up(request: HttpRequest, copy_pk: UUID) -> HttpResponse:
    """A cancelled copy whose writer is offline, so that its end would never be told."""
    found = _copy(copy_pk)
    if intake.give_up(found, actor=actor_of(request), now=timezone.now()):
        messages.warning(request, "Given up. Its drives are free for others.")
    else:
        messages.info(request, "Its writer answers again, or it is over.")
    return redirect(found)


@may_copy
@require_POST
def acknowledge(request: HttpRequest, copy_pk: UUID) -> HttpResponse:
    found = _copy(copy_pk)
    if intake.acknowledge(found, actor=actor_of(request), now=timezone.now()):
        messages.success(request, f"Noted that you have seen how {found.title} ended.")
    else:
        messages.info(request, "Somebody has said so before, or it is not over.")
    return redirect("console" if request.POST.get("back") == "console" else found)


@may_look
@require_safe
def ended(request: HttpRequest) -> JsonResponse:
    """The asker's own copies that ended and were not confirmed: what a browser notifies of."""
    mine = showing.unseen().filter(asked_by=actor_of(request)).order_by("-ended_at")[:20]
    found = [
        {"id": str(each.pk), "title": each.title, "said": showing.WORDS[Copy.State(each.state)], "why": each.reason,
         "url": each.get_absolute_url()}
        for each in mine
    ]  # fmt: skip
    return JsonResponse({"ended": found})
