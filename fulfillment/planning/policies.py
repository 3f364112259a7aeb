"""Which job comes first. A policy takes values and returns values: it never queries, saves, logs or asks the time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from math import floor, inf, log
from typing import Final, Protocol

from fulfillment.planning.model import JobView

STEP: Final = 1.1  # process times within 10 % are equal, and keep the order of receipt
LOOK_AHEAD: Final = 2.0  # the usual scale of the apparent-tardiness-cost rule: so many mean jobs ahead
HIGH_WEIGHT: Final = 3.0  # what a day late of high priority costs, against a day of any other


class Policy(Protocol):
    """The order of work. Write your own in ten lines, and choose it by its dotted path in the admin:

        from fulfillment.planning.policies import ByRank

        class SmallOrdersFirst(ByRank):
            name = "small-orders-first"

            def rank(self, job):
                return (job.copies > 10, job.due or float("inf"))

            def explain(self, job):
                return f"It is for {job.copies} discs; up to 10 stand before more."

    `rank` is static, lower is first, at most five numbers: it is stored and indexed, and changes only with the job or
    the policy (so slack is `due - work`: `now` would cancel out). Equal ranks keep the order of receipt.
    `reorder` may rearrange the head of the queue, which comes in rank order; it must return the same jobs.
    `explain` is one sentence that tells an operator why a job stands where it stands.
    `any_order = True` says that only the end of all work counts, and ranks only break ties.
    Only `name` and `rank` are needed of a class that is found by its path; `ByRank` has the other two.
    A policy that raises, returns nonsense or dawdles is put out of force, and the queue goes on in order of receipt.
    """

    name: str

    @property
    def any_order(self) -> bool: ...

    def rank(self, job: JobView) -> tuple[float, ...]: ...

    def reorder(self, head: Sequence[JobView], now: float) -> Sequence[JobView]: ...

    def explain(self, job: JobView) -> str: ...


class ByRank:
    """A policy whose rank says it all."""

    name = "by-rank"
    any_order = False

    def rank(self, job: JobView) -> tuple[float, ...]:
        return ()

    def reorder(self, head: Sequence[JobView], now: float) -> Sequence[JobView]:
        return head

    def explain(self, job: JobView) -> str:
        numbers = ", ".join(f"{number:g}" for number in self.rank(job))
        return f"{self.name} ranks it ({numbers}); lower numbers come first." if numbers else "Jobs come as received."


class FirstCome(ByRank):
    """Jobs are made in the order in which they were received."""

    name = "first-come"

    def explain(self, job: JobView) -> str:
        return f"It was received on {_instant(job.received_at)}; what was received before it comes before it."


class EarliestDue(ByRank):
    """What is due soonest comes first; jobs without a due date come last."""

    name = "earliest-due"

    def rank(self, job: JobView) -> tuple[float, ...]:
        return (_due(job),)

    def explain(self, job: JobView) -> str:
        return f"{_due_text(job)}; what is due sooner comes before it."


class HighPriority(EarliestDue):
    """Higher priority comes first; among equals what is due soonest."""

    name = "high-priority"

    def rank(self, job: JobView) -> tuple[float, ...]:
        return (-job.priority, _due(job))

    def explain(self, job: JobView) -> str:
        return (
            f"Its priority is {job.priority}. {_due_text(job)}; a higher priority, then what is due sooner comes first."
        )


class ShortestFirst(ByRank):
    """The least work comes first, so that most customers wait least; a large job may wait long."""

    name = "shortest-first"

    def rank(self, job: JobView) -> tuple[float, ...]:
        return (_work_step(job),)

    def explain(self, job: JobView) -> str:
        return f"{_work_text(job)}; less work comes before it, and about as much in order of receipt."


class LongestFirst(ByRank):
    """The most work comes first, which finishes a backlog soonest."""

    name = "longest-first"
    any_order = True

    def rank(self, job: JobView) -> tuple[float, ...]:
        return (-_work_step(job),)

    def explain(self, job: JobView) -> str:
        return f"{_work_text(job)}; more work comes before it, and about as much in order of receipt."


class PromiseSlack(ByRank):
    """What must be begun soonest to be made in time (due less work) comes first; jobs without a due date come last."""

    name = "promise-slack"

    def rank(self, job: JobView) -> tuple[float, ...]:
        return (_due(job) - job.work,)

    def explain(self, job: JobView) -> str:
        if job.due is None:
            return f"{_due_text(job)}; what must be begun by some time comes before it."
        begun_by = _instant(job.due - job.work)
        return f"It must be begun by {begun_by} to be made in time; what must be begun sooner comes before it."


class TardinessCost(PromiseSlack):
    """Weighs work against the time left (apparent tardiness cost): of what is late or near it, short and dear first."""

    name = "tardiness-cost"

    def reorder(self, head: Sequence[JobView], now: float) -> Sequence[JobView]:
        mean = sum(_work(job) for job in head) / max(len(head), 1)
        return sorted(head, key=lambda job: -self._log_cost(job, mean, now))  # stable: equals stay in rank order

    def explain(self, job: JobView) -> str:
        weight = "; its high priority counts three times" if job.priority else ""
        return f"{super().explain(job)} Of what is late or nearly so, the least work comes first{weight}."

    def _log_cost(self, job: JobView, mean: float, now: float) -> float:
        """The logarithm of weight / work · exp(−max(slack, 0) / (2 · mean)), which far from its due date is not 0."""
        slack = _due(job) - job.work - now
        weight = HIGH_WEIGHT if job.priority else 1.0
        return log(weight / _work(job)) - max(slack, 0.0) / (LOOK_AHEAD * mean)


BUILT_IN: Final[Mapping[str, type[ByRank]]] = {
    policy.name: policy
    for policy in (FirstCome, EarliestDue, HighPriority, PromiseSlack, TardinessCost, ShortestFirst, LongestFirst)
}


def _due(job: JobView) -> float:
    return inf if job.due is None else job.due


def _work(job: JobView) -> float:
    """At least a second: work that is not known yet is no reason to divide by nothing."""
    return max(job.work, 1.0)


def _work_step(job: JobView) -> float:
    return float(floor(log(_work(job)) / log(STEP)))


def _due_text(job: JobView) -> str:
    return "It has no due date" if job.due is None else f"It is due on {_instant(job.due)}"


def _work_text(job: JobView) -> str:
    if not job.work:
        return "How much work it is will be known when its image is made"
    hours, minutes = divmod(max(1, round(job.work / 60)), 60)
    return "Its discs take one drive " + (f"{hours} h {minutes} min" if hours else f"{minutes} min")


def _instant(seconds: float) -> str:
    when = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return f"{when:%A} {when.day} {when:%B at %H:%M} UTC"
