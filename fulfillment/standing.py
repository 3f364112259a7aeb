"""Why a job stands where it stands, in one paragraph for an operator. Reads only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from django.utils import timezone

from fulfillment import obstacles, ranking, reasons
from fulfillment.models import Job, JobEvent
from fulfillment.operators import PUT_FIRST
from fulfillment.reasons import HELD_BY_HAND


def of(job: Job, now: dt.datetime) -> str:
    """Empty for a job that stands nowhere any more."""
    return " ".join(_sentences(job, now)) if job.state in Job.OPEN else ""


def _sentences(job: Job, now: dt.datetime) -> Iterator[str]:
    yield _position(job)
    if job.put_first_at:
        yield f"It was put first {_by_whom(job, PUT_FIRST)}; what was put first later comes before it."
    policy = ranking.in_force(now)
    prefix = "Else the policy" if job.put_first_at else "The policy"
    yield f"{prefix} {policy.name} says: {policy.explain(ranking.view_of(job))}"
    if job.reason and not job.reason.startswith(HELD_BY_HAND):
        yield reasons.text(job.reason)
    yield from obstacles.of_jobs([job.pk], now).get(job.pk, ())


def _position(job: Job) -> str:
    if job.state == Job.State.HELD and job.reason.startswith(HELD_BY_HAND):
        why = job.reason.removeprefix(HELD_BY_HAND).lstrip(":. ")
        return f"It is held {_by_whom(job, job.reason)}" + (f": {why.rstrip('.')}." if why else ".")
    if job.state == Job.State.HELD:
        return "It is held."
    if job.state == Job.State.WRITING:
        return "Discs of it are being made."
    waiting = Job.objects.filter(state=Job.State.WAITING)
    before, all_ = waiting.filter(rank__lt=job.rank).count(), waiting.count()
    return f"It is number {before + 1} of {all_} that {'wait' if all_ > 1 else 'waits'}."


def _by_whom(job: Job, text: str) -> str:
    """Who did it, and when, by the log."""
    event = JobEvent.objects.filter(job=job, text=text).order_by("-pk").first()
    if event is None:
        return "by somebody"
    who = event.actor.partition(" ")[2] or event.actor  # «user:17 anna»
    at = timezone.localtime(event.at)
    return f"by {who} on {at:%A} {at.day} {at:%B at %H:%M}"
