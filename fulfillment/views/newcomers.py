"""A new writer: shows the code that lets one agent in, the command to type there, and that it came.

The code is in this one answer and nowhere else: only its sha256 is kept.
"""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from devices import discovery, enrolment
from devices.admin import actor_of
from devices.intake import NotAccepted
from devices.models import EnrolmentCode, Writer
from devices.text import clean
from fulfillment.fleet import newcomers
from fulfillment.fleet.newcomers import arrival
from fulfillment.views.forms import FirstError
from fulfillment.views.staff import part, staff_page

STOP: Final = 286  # htmx: take this, and poll no more


class NewWriterForm(FirstError):
    name = forms.CharField(
        label="What it is to be called",
        max_length=80,
        required=False,
        error_messages={"max_length": "Give it a name of 80 characters or fewer."},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"]).strip()
        if name != clean(name, 80):
            raise forms.ValidationError("This has a character that can't be printed. Type it anew.")
        if name and Writer.objects.filter(name=name).exists():
            raise forms.ValidationError(f"There is a writer named {name} already. Choose another name.")
        return name


class LookForm(FirstError):
    address = forms.CharField(
        label="Its address",
        max_length=300,
        error_messages={"required": "Type an address such as http://192.0.2.7:9101."},
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "inputmode": "url", "placeholder": "http://192.0.2.7:9101"}
        ),
    )


@staff_page("devices.view_writer", "devices.change_writer")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _form(request, NewWriterForm(initial={"name": clean(request.GET.get("name", ""), 80)}))
    form = NewWriterForm(request.POST)
    if form.is_valid():
        now = timezone.now()
        try:
            code = enrolment.new_code(who=actor_of(request), now=now, name=form.cleaned_data["name"])
        except NotAccepted as refused:
            form.add_error("name", refused.text)
        else:
            row = enrolment.row_of(code)
            context: dict[str, Any] = {"here": "fleet", "code": code, "command": enrolment.command_line(code)}
            if row is not None:
                context["arrival"] = arrival(row, now)
            return render(request, "plant/code.html", context)
    return _form(request, form, status=422)


@staff_page("devices.view_writer", "devices.change_writer")
@require_POST
def look(request: HttpRequest) -> HttpResponse:
    """Asks the agent at an address that mDNS does not reach what it is."""
    form = LookForm(request.POST)
    if not form.is_valid():
        return _form(request, NewWriterForm(), looking=form, status=422)
    try:
        found = discovery.look_at(form.cleaned_data["address"].strip(), timezone.now())
    except NotAccepted as refused:
        form.add_error("address", refused.text)
        return _form(request, NewWriterForm(), looking=form, status=422)
    own = Writer.objects.filter(uuid=found.writer_uuid).first() if found.writer_uuid else None
    if own is not None:
        messages.info(request, f"That is your writer {own}.")
        return redirect("fleet-writer", own.uuid)
    messages.success(request, f"There is {found}. It is listed below.")
    return redirect("fleet-add")


@staff_page("devices.view_writer", "devices.change_writer")
@require_safe
def came(request: HttpRequest, code_pk: int) -> HttpResponse:
    """Whether the agent has used its code. Once that is settled, the page asks no more."""
    code = get_object_or_404(EnrolmentCode.objects.select_related("writer"), pk=code_pk)
    seen = arrival(code, timezone.now())
    response = part(request, "plant/_arrival.html", {"arrival": seen})
    if seen.over and response.status_code == 200 and request.headers.get("HX-Request"):
        response.status_code = STOP
    return response


def _form(
    request: HttpRequest, form: NewWriterForm, *, looking: LookForm | None = None, status: int = 200
) -> HttpResponse:
    context: dict[str, Any] = {"here": "fleet", "form": form, "looking": looking or LookForm()}
    context["seen"] = newcomers.seen(timezone.now())
    return render(request, "plant/add.html", context, status=status)
