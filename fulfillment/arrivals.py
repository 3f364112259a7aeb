"""The jobs that came of late: what they say of those to come, and which of them a run does not know yet. Reads rows."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from django.db.models import QuerySet

from devices.compiled import Compiled
from fulfillment.models import Job
from fulfillment.planning.model import Coming, JobView
from fulfillment.planning.overtaking import OF_LATE, coming

COLUMNS: Final = ("image__sha256", "image__size", "format", "copies", "priority", "due", "received_at", "work_seconds")


def expected(now: dt.datetime) -> Coming | None:
    """Those to come. None while too few jobs were received to say anything."""
    views = [_view(number, *row) for number, row in enumerate(reversed(_of_late()))]
    return coming(views, now.timestamp())


def since(then: dt.datetime, now: dt.datetime) -> list[JobView]:
    """Jobs of which something was foreseen since that instant, in the order in which they came.

    Whatever became of them: a date that was shown is replayed from the same jobs.
    """
    return [_view(number, *row) for number, row in enumerate(_foreseen_since(then, now))]


def _foreseen_since(then: dt.datetime, now: dt.datetime) -> QuerySet[Job, Any]:
    jobs = Job.objects.filter(shipment__forecast__at__gte=then, shipment__forecast__at__lte=now)
    return jobs.order_by("shipment__forecast__at", "reference").values_list(*COLUMNS)


@Compiled
def _of_late() -> QuerySet[Job, Any]:
    made = Job.objects.filter(work_seconds__isnull=False).exclude(state=Job.State.CANCELLED)
    return made.order_by("-received_at").values_list(*COLUMNS)[:OF_LATE]


def _view(
    number: int,
    sha256: str | None,
    size: int | None,
    format_: str,
    copies: int,
    priority: int,
    due: dt.datetime | None,
    received_at: dt.datetime,
    work: float | None,
) -> JobView:
    return JobView(
        id=str(number),
        image=sha256 or "",
        bytes=size or 0,
        format=format_,
        copies=copies,
        received_at=received_at.timestamp(),
        sequence=number,
        priority=priority,
        due=due.timestamp() if due else None,
        work=work or 0.0,
    )
