"""Which job comes first. A policy takes values and returns values: it never queries, saves, logs or asks the time."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Protocol

from fulfillment.planning.model import JobView


class Policy(Protocol):
    """The order of work. Write your own in ten lines and name it in `SPINDLE_POLICY`:

        class DueFirst:
            name = "due-first"

            def rank(self, job: JobView) -> tuple[float, ...]:
                return (job.due if job.due is not None else float("inf"),)

            def reorder(self, head: Sequence[JobView], now: float) -> Sequence[JobView]:
                return head

    `rank` is static, lower is first: it is stored and indexed, and changes only with the job or the policy
    (so slack is `due - work`: `now` would cancel out). Equal ranks keep the order of receipt.
    `reorder` may rearrange the head of the queue, which comes in rank order; it must return the same jobs.
    """

    name: str

    def rank(self, job: JobView) -> tuple[float, ...]: ...

    def reorder(self, head: Sequence[JobView], now: float) -> Sequence[JobView]: ...


class FirstCome:
    """Order of receipt."""

    name = "first-come"

    def rank(self, job: JobView) -> tuple[float, ...]:
        return ()

    def reorder(self, head: Sequence[JobView], now: float) -> Sequence[JobView]:
        return head


def full_rank(policy: Policy, job: JobView) -> tuple[float, ...]:
    """The policy's rank with ties settled by receipt, so that the order is total."""
    return (*policy.rank(job), job.received_at, float(job.sequence))


def encode_rank(rank: tuple[float, ...]) -> str:
    """A rank as text that sorts as the tuple does, in any database: each float as 16 hex digits.

    An IEEE double sorts by its bits once negative ones are inverted and positive ones get the sign bit set.
    Raises ValueError for a NaN, which has no place in an order.
    """
    parts = []
    for value in rank:
        if value != value:
            raise ValueError(f"A rank may not hold NaN: {rank}.")
        (bits,) = struct.unpack(">Q", struct.pack(">d", value + 0.0))  # + 0.0 makes −0.0 equal to 0.0
        bits = bits ^ 0xFFFF_FFFF_FFFF_FFFF if bits >> 63 else bits | (1 << 63)
        parts.append(f"{bits:016x}")
    return "".join(parts)
