"""What an operator does to a writer: one address for each verb, each through the door that ticks and the admin use.

Every one is safe to send twice, and leads back to the page with a word on what was done.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from devices import drives, lifecycle, stocktaking, wishes
from devices.admin import actor_of
from devices.agent import wire
from devices.intake import ImageRef, NotAccepted
from devices.models import BlankBin, CachedImage, Drive, Writer
from devices.wording import drive_name
from fulfillment.fleet.page import image_names
from fulfillment.fleet.rings import waiting_token
from fulfillment.views.forms import BinForm, CountForm, PutInForm, WhyForm
from fulfillment.views.staff import View, staff_page
from fulfillment.views.writer import render_page

Move = Callable[..., bool]

# What a verb says when it was passed on to a drive.
_TOLD: Final = {
    wire.DriveVerb.DRAIN: "{} takes no more discs once it has heard it.",
    wire.DriveVerb.RESUME: "{} takes discs again once it has heard it.",
    wire.DriveVerb.EJECT: "{} opens once it has heard it.",
    wire.DriveVerb.LOADED: "{} goes on with the blank.",
    wire.DriveVerb.TAKEN_OUT: "{} goes on: its disc is out and marked.",
}
# What a drive must still want, since that moment, so that a word from an old page means no other disc.
_ANSWERS: Final = {wire.DriveVerb.LOADED: "blank", wire.DriveVerb.TAKEN_OUT: "take-out"}


def _moves(verb: Move, done: str, already: str) -> View:
    """A view that moves the whole writer, with why."""

    @staff_page("devices.view_writer", "devices.change_writer")
    @require_POST
    def move(request: HttpRequest, writer_uuid: UUID) -> HttpResponse:
        writer = get_object_or_404(Writer, uuid=writer_uuid)
        form = WhyForm(request.POST)
        if not form.is_valid():
            return render_page(request, writer, form, status=422)
        moved = verb(writer, who=actor_of(request), why=form.cleaned_data["why"], now=timezone.now())
        messages.success(request, done.format(writer)) if moved else messages.info(request, already.format(writer))
        return redirect("fleet-writer", writer.uuid)

    return move


drain = _moves(lifecycle.drain, "{} finishes what it has and takes nothing new.", "{} was draining already.")
start_maintenance = _moves(
    lifecycle.start_maintenance, "{} is in maintenance: it takes nothing new.", "{} was in maintenance already."
)
resume = _moves(lifecycle.resume, "{} takes work again.", "{} had nothing to resume.")


def tell_drive(verb: wire.DriveVerb) -> View:
    """A view that passes this verb on to a drive; `serial` says of which disc the word is."""

    @staff_page("devices.view_writer", "devices.change_writer")
    @require_POST
    def tell(request: HttpRequest, writer_uuid: UUID, drive_pk: int) -> HttpResponse:
        drive = get_object_or_404(Drive.objects.select_related("writer"), pk=drive_pk, writer__uuid=writer_uuid)
        serial = request.POST.get("serial", "")
        asked = (drive.wants, drive.serial, waiting_token(drive.wants_since))
        if verb in _ANSWERS and asked != (_ANSWERS[verb], serial, request.GET.get("since", "")):
            messages.info(request, f"{drive_name(drive.ident)} does not wait for that any more. Nothing was changed.")
            return redirect("fleet-writer", writer_uuid)
        serial = serial if verb in _ANSWERS else ""
        try:
            drives.order_drive(
                drive.writer, drive.ident, verb, actor=actor_of(request), now=timezone.now(), serial=serial
            )
        except NotAccepted as refused:
            messages.error(request, refused.text)
        else:
            messages.success(request, _TOLD[verb].format(drive_name(drive.ident)))
        return redirect("fleet-writer", writer_uuid)

    return tell


@staff_page("devices.view_writer", "devices.change_writer")
@require_POST
def serviced(request: HttpRequest, writer_uuid: UUID, drive_pk: int) -> HttpResponse:
    drive = get_object_or_404(Drive.objects.select_related("writer"), pk=drive_pk, writer__uuid=writer_uuid)
    if drives.service_drive(drive, who=actor_of(request), now=timezone.now()):
        messages.success(request, f"{drive_name(drive.ident)} is serviced: its thresholds count anew.")
    else:
        messages.info(request, f"Somebody said at this moment that {drive_name(drive.ident)} is serviced.")
    return redirect("fleet-writer", writer_uuid)


def _counts(form_of: type[BinForm], take: Callable[[BinForm, str, datetime], str]) -> View:
    """A view that takes a number of blanks for a bin."""

    @staff_page("devices.view_writer", "devices.add_blankentry")
    @require_POST
    def count(request: HttpRequest, writer_uuid: UUID, bin_pk: int) -> HttpResponse:
        bin_ = get_object_or_404(BlankBin.objects.select_related("writer"), pk=bin_pk, writer__uuid=writer_uuid)
        form = form_of(bin_, request.POST)
        if form.is_valid():
            try:
                messages.success(request, take(form, actor_of(request), timezone.now()))
                return redirect("fleet-writer", writer_uuid)
            except NotAccepted as refused:
                form.add_error("number", refused.text)
        return render_page(request, bin_.writer, form, status=422)

    return count


def _put_in(form: BinForm, by: str, now: datetime) -> str:
    number, seen = form.cleaned_data["number"], form.cleaned_data.get("seen") or 0
    why = "Put in at the writer."
    if not stocktaking.put_in(form.bin, number, seen=seen, by=by, why=why, now=now):
        return f"{number} into {form.bin.bin} were in the ledger already. For more, enter it again."
    form.bin.refresh_from_db()
    return f"{number} put into {form.bin.bin}: {form.bin.remaining} are in it now."


def _count(form: BinForm, by: str, now: datetime) -> str:
    number = form.cleaned_data["number"]
    change = stocktaking.count(form.bin, number, by=by, why="Counted at the writer.", now=now)
    if not change:
        return f"{number} in {form.bin.bin}, as the ledger says."
    return f"{number} in {form.bin.bin}: the ledger is corrected by {change:+d}."


put_in = _counts(PutInForm, _put_in)
count = _counts(CountForm, _count)


@staff_page("devices.view_writer", "devices.change_writer")
@require_POST
def purge(request: HttpRequest, writer_uuid: UUID, sha256: str) -> HttpResponse:
    image = get_object_or_404(CachedImage.objects.select_related("writer"), writer__uuid=writer_uuid, sha256=sha256)
    ref = ImageRef(image.sha256, image.size, image.layout)
    title = image_names([sha256]).get(sha256, "")
    try:
        wishes.drop_image(image.writer, ref, title=title, actor=actor_of(request), now=timezone.now())
    except NotAccepted as refused:
        messages.error(request, refused.text)
    else:
        messages.success(request, f"{title or 'The image'} goes from its disk once its agent has heard it.")
    return redirect("fleet-writer", writer_uuid)
