"""What the jobs of late say of those to come. Reads rows, once for each roll of a plan in which jobs are overtaken."""

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
    """None while too few jobs were received to say anything."""
    views = [_view(number, *row) for number, row in enumerate(reversed(_of_late()))]
    return coming(views, now.timestamp())


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
    work: float,
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
        work=work,
    )
