"""The page of one writer: what it waits for, and all that can be done there. For a telephone beside the machine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from devices.models import Writer
from fulfillment.fleet.page import Page, page
from fulfillment.views.forms import BinForm, CountForm, PutInForm, WhyForm
from fulfillment.views.staff import part, staff_page


@staff_page("devices.view_writer")
@require_safe
def show(request: HttpRequest, writer_uuid: UUID) -> HttpResponse:
    return render_page(request, get_object_or_404(Writer, uuid=writer_uuid))


@staff_page("devices.view_writer")
@require_safe
def now(request: HttpRequest, writer_uuid: UUID) -> HttpResponse:
    """What changes by itself. No form with a field is in it: what somebody types is never taken away."""
    seen = page(get_object_or_404(Writer, uuid=writer_uuid), timezone.now())
    return part(request, "plant/_writer.html", {"page": seen, "card": seen.card})


def render_page(
    request: HttpRequest, writer: Writer, wrong: BinForm | WhyForm | None = None, status: int = 200
) -> HttpResponse:
    """wrong: the form that could not be taken; it comes back with its error."""
    seen = page(writer, timezone.now())
    context: dict[str, Any] = {
        "here": "fleet",
        "page": seen,
        "card": seen.card,
        "writer": writer,
        "why": wrong if isinstance(wrong, WhyForm) else WhyForm(),
        "bins": list(_bins(seen, wrong)),
        "wrong": wrong is not None,
    }
    return render(request, "plant/writer.html", context, status=status)


def _bins(seen: Page, wrong: BinForm | WhyForm | None) -> Iterable[dict[str, Any]]:
    stacks = {stack.pk: stack for stack in seen.card.stacks}
    files = {file.pk: file for file in seen.card.file.bins}
    for bin_ in seen.bins:
        forms = {PutInForm: PutInForm(bin_), CountForm: CountForm(bin_)}
        if isinstance(wrong, BinForm) and wrong.bin.pk == bin_.pk:
            forms[type(wrong)] = wrong
        yield {
            "file": files[bin_.pk],
            "stack": stacks[bin_.pk],
            "put_in": forms[PutInForm],
            "count": forms[CountForm],
        }
