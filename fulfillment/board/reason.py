"""Why an order is not with its carrier yet, and what comes next: one always, in words. Pure: values in, values out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.utils.formats import date_format

from fulfillment import reasons
from fulfillment.models import Job, Shipment
from fulfillment.reasons import HELD_BY_HAND

MADE = "All its discs are made. It is given to the packing bench by itself."
NOTHING = "Nothing of it is left to make. Cancel it, or look at its jobs in the admin."


@dataclass(frozen=True, slots=True)
class Queue:
    """What all orders have in common: places of the jobs that wait, what the plan says of each, and what discs need."""

    places: Mapping[UUID, int]
    waits: Mapping[str, str]
    obstacles: Mapping[UUID, Collection[str]]


def work(state: str, jobs: Collection[Job]) -> str:
    """One word for all of an order's jobs: the one that says most."""
    if state != Shipment.State.PREPARING:
        return state
    states = {job.state for job in jobs}
    for word in (Job.State.HELD, Job.State.WRITING, Job.State.WAITING):
        if word in states:
            return word.value
    return "made"


def reason(state: str, hand_over_by: dt.date | None, jobs: Collection[Job], queue: Queue, today: dt.date) -> str:
    if state != Shipment.State.PREPARING:
        what = "Waits for the carrier." if state == Shipment.State.PACKED else "Waits to be packed."
        return f"{what}{_hand_over(hand_over_by, today)}"
    said = dict.fromkeys(_sentences(jobs, queue))  # two jobs may wait for the same
    return " ".join(said) or (MADE if jobs else NOTHING)


def place(jobs: Collection[Job], queue: Queue) -> int | None:
    return min((queue.places[job.pk] for job in jobs if job.pk in queue.places), default=None)


def _sentences(jobs: Collection[Job], queue: Queue) -> Iterator[str]:
    for job in jobs:
        if job.state == Job.State.HELD:
            yield _held(job.reason)
    if any(job.state == Job.State.WRITING for job in jobs):
        yield "Discs of it are being made."
    for job in jobs:
        yield from queue.obstacles.get(job.pk, ())
    number = place(jobs, queue)
    if number is not None:
        waiting = len(queue.places)
        yield f"Number {number:,} of {waiting:,} that {'wait' if waiting > 1 else 'waits'}."
    for job in jobs:
        keyword = queue.waits.get(str(job.pk)) or job.reason
        if keyword and job.state in {Job.State.WAITING, Job.State.WRITING} and job.wanting:
            yield reasons.text(keyword)


def _held(text: str) -> str:
    if not text.startswith(HELD_BY_HAND):
        return reasons.text(text)
    return f"{text.rstrip('.')}. It goes on when somebody releases it."


def _hand_over(by: dt.date | None, today: dt.date) -> str:
    if by is None:
        return ""
    day = "today" if by == today else date_format(by, "l j F")
    return f" It should have left by {day}." if by < today else f" It must leave by {day}."
