"""Keeps a policy that fails from stopping work: from its first fault on, the queue has the order of receipt.

It judges what a policy returns and how long that took. It never decides which policy is in force.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from billiard.exceptions import SoftTimeLimitExceeded

from devices.text import clean
from fulfillment.planning.model import JobView
from fulfillment.planning.policies import ByRank, FirstCome
from fulfillment.planning.ranks import checked_rank

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

RANK_SECONDS: Final = 0.020  # that one rank may take
REORDER_SECONDS: Final = 1.0  # that a head, of 2,000 jobs at most, may take
RANKS_SECONDS: Final = 1.0  # that all ranks of one use may take, and beyond it …
MEAN_RANK_SECONDS: Final = 0.002  # … so much each
RECEIPT: Final = FirstCome()
BY_RANK: Final = ByRank()


class Slow(Exception):
    """A policy takes longer than the plant can wait."""


class Guarded:
    """A policy as planning has it. `ranked_by` says whose order its ranks are; it changes when the policy fails.

    `on_failure` takes what went wrong and returns the new `ranked_by`. What was slow once is asked a second time,
    for the machine may have slept; a policy gives the same answer twice.
    """

    def __init__(
        self,
        policy: Any,
        ranked_by: str,
        on_failure: Callable[[str], str],
        *,
        seconds: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.policy, self.ranked_by, self.failed = policy, ranked_by, False
        self.name = clean(policy.name, 120)
        self._on_failure, self._seconds = on_failure, seconds
        self._spent, self._ranks = 0.0, 0

    def rank(self, job: JobView) -> tuple[float, ...]:
        return self._try(lambda: self._rank(job), lambda: RECEIPT.rank(job))

    def reorder(self, head: Sequence[JobView], now: float) -> Sequence[JobView]:
        """What operators put first stays so; the policy may rearrange the others."""
        first = [job for job in head if job.put_first]
        rest = [job for job in head if not job.put_first]
        if self.failed:  # some of them were ranked by the policy, some no more
            return first + _by_receipt(rest)
        return first + self._try(lambda: self._reorder(rest, now), lambda: _by_receipt(rest))

    @property
    def any_order(self) -> bool:
        return not self.failed and bool(getattr(self.policy, "any_order", False))

    def explain(self, job: JobView) -> str:
        """One sentence, whatever happens: a policy that can't say why may still order well."""
        if self.failed:
            return RECEIPT.explain(job)
        try:
            explain = getattr(self.policy, "explain", None)
            said = explain(job) if explain else f"{self.name} says no more than its rank."
        except Exception as error:
            log.exception("the policy %s can't explain a job", self.name)
            said = f"{self.name} can't say why: {type(error).__name__}: {error}."
        return clean(str(said), 500)

    def _rank(self, job: JobView) -> tuple[float, ...]:
        answer, took = self._timed("a rank", RANK_SECONDS, lambda: self.policy.rank(job))
        self._spent, self._ranks = self._spent + took, self._ranks + 1
        if self._spent > max(RANKS_SECONDS, self._ranks * MEAN_RANK_SECONDS):
            raise Slow(f"{self._ranks} ranks took {self._spent:.1f} s; {MEAN_RANK_SECONDS * 1000:.0f} ms each may be.")
        return checked_rank(answer)

    def _reorder(self, head: Sequence[JobView], now: float) -> list[JobView]:
        reorder = getattr(self.policy, "reorder", BY_RANK.reorder)
        answer, _ = self._timed(f"reorder of {len(head)} jobs", REORDER_SECONDS, lambda: reorder(list(head), now))
        known = {job.id: job for job in head}
        given = [job.id for job in answer]
        if sorted(given) != sorted(known):
            lost, new = len(known.keys() - set(given)), len(set(given) - known.keys())
            raise ValueError(f"reorder must return the same jobs, and gave {len(given)}: {lost} lost, {new} not known.")
        return [known[job_id] for job_id in given]

    def _timed(self, what: str, most: float, ask: Callable[[], Any]) -> tuple[Any, float]:
        for _ in range(2):
            began = self._seconds()
            answer = ask()
            took = self._seconds() - began
            if took <= most:
                return answer, took
        raise Slow(f"{what} took {took * 1000:.0f} ms, twice; {most * 1000:.0f} ms may be.")

    def _try(self, ask: Callable[[], Answer], otherwise: Callable[[], Answer]) -> Answer:
        if self.failed:
            return otherwise()
        began = self._seconds()
        try:
            return ask()
        except SoftTimeLimitExceeded as over:  # the tick's time, which is no policy's fault unless it took it
            if self._seconds() - began > REORDER_SECONDS:
                self._fail(over)
            raise
        except Exception as error:
            self._fail(error)
            return otherwise()

    def _fail(self, error: Exception) -> None:
        log.error("the policy %s failed; the queue goes on in order of receipt", self.name, exc_info=error)
        self.failed, self.name = True, RECEIPT.name
        self.ranked_by = self._on_failure(clean(f"{type(error).__name__}: {error}", 1000))


def _by_receipt(jobs: Sequence[JobView]) -> list[JobView]:
    return sorted(jobs, key=lambda job: (job.received_at, job.sequence))
