"""Jobs in the admin: why each stands where it stands, and what operators do to it. Actions call `operators.py`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone

from devices.admin.base import WhyForm
from devices.chips import state_chip
from fulfillment import obstacles, operators, reasons, standing
from fulfillment.models import Job, JobEvent

from .base import LogInline, ReadOnly, actor, report

NO_REASON = "Nothing is held: say why, in the field beside the action."


class JobEventInline(LogInline):
    model = JobEvent


class JobList(ChangeList):
    """What discs under way wait for, of all jobs of the page at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        jobs: list[Any] = list(self.result_list)
        found = obstacles.of_jobs([job.pk for job in jobs], timezone.now())
        for job in jobs:
            job.obstacles = found.get(job.pk, ())
        self.result_list = jobs


@admin.register(Job)
class JobAdmin(ReadOnly):
    list_display = ["reference", "title", "format", "copies", state_chip, "why", "due", "received_at", "put_first_at"]
    list_filter = ["state", "format", "priority", ("put_first_at", admin.EmptyFieldListFilter)]
    search_fields = ["reference", "title", "part_number", "shares__write__discs__serial"]
    list_select_related = ["shipment"]
    date_hierarchy = "received_at"
    inlines = [JobEventInline]
    action_form = WhyForm
    actions = ["put_first", "put_back", "hold", "release"]
    readonly_fields = ["stands", "waits_for"]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return JobList

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        may = {"may_operate": self.has_operate_permission(request)}
        return super().change_view(request, object_id, form_url, (extra_context or {}) | may)

    @admin.display(description="reason", ordering="reason")
    def why(self, job: Job) -> str:
        return " ".join((reasons.text(job.reason), *getattr(job, "obstacles", ()))).strip()

    @admin.display(description="where it stands")
    def stands(self, job: Job) -> str:
        return standing.of(job, timezone.now())

    @admin.display(description="its discs wait for")
    def waits_for(self, job: Job) -> str:
        return " ".join(obstacles.of_jobs([job.pk], timezone.now()).get(job.pk, ())) or "-"

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("fulfillment.change_job")

    @admin.action(description="Put their orders first", permissions=["operate"])
    def put_first(self, request: HttpRequest, jobs: QuerySet[Job]) -> HttpResponseBase | None:
        now = timezone.now()
        done = [operators.put_first(job, actor(request), now) for job in operators.with_their_orders(jobs)]
        return self._told(request, jobs, "put first", done)

    @admin.action(description="Take back that their orders come first", permissions=["operate"])
    def put_back(self, request: HttpRequest, jobs: QuerySet[Job]) -> HttpResponseBase | None:
        now = timezone.now()
        done = [operators.put_back(job, actor(request), now) for job in operators.with_their_orders(jobs)]
        return self._told(request, jobs, "back where the policy puts them", done)

    @admin.action(description="Hold", permissions=["operate"])
    def hold(self, request: HttpRequest, jobs: QuerySet[Job]) -> HttpResponseBase | None:
        why = request.POST.get("why", "").strip()
        if not why:
            self.message_user(request, NO_REASON, messages.ERROR)
            return self._back(request, jobs)
        done = [operators.hold(job, actor(request), timezone.now(), why) for job in jobs]
        return self._told(request, jobs, "held", done)

    @admin.action(description="Release", permissions=["operate"])
    def release(self, request: HttpRequest, jobs: QuerySet[Job]) -> HttpResponseBase | None:
        done = [operators.release(job, actor(request), timezone.now()) for job in jobs]
        return self._told(request, jobs, "released", done)

    def _told(self, request: HttpRequest, jobs: Iterable[Job], verb: str, done: list[bool]) -> HttpResponseBase | None:
        report(self, request, verb, done)
        return self._back(request, jobs)

    def _back(self, request: HttpRequest, jobs: Iterable[Job]) -> HttpResponseBase | None:
        """To the job's page, if its buttons were used there; else to the list, with its filters."""
        if "from_page" in request.POST and (job := next(iter(jobs), None)):
            return redirect("admin:fulfillment_job_change", job.pk)
        return None
