"""A job's whole rank, and the text it is kept as. Pure: it gives numbers an order and judges no policy's wisdom."""

from __future__ import annotations

import struct
from typing import Final, Protocol

from fulfillment.planning.model import JobView

MOST_NUMBERS: Final = 5  # of a policy; with put-first, receipt and sequence they are the eight that a row holds


class Ranks(Protocol):
    def rank(self, job: JobView) -> tuple[float, ...]: ...


def full_rank(policy: Ranks, job: JobView) -> tuple[float, ...]:
    """What an operator put first (the last foremost), then the policy's rank, then receipt, so that it is total."""
    return (-job.put_first, *policy.rank(job), job.received_at, float(job.sequence))


def checked_rank(rank: object) -> tuple[float, ...]:
    """What a policy gave as a rank, as numbers. Raises ValueError that says what is wrong with it."""
    if not isinstance(rank, tuple):
        raise ValueError(f"rank must return a tuple of numbers, and gave {_short(rank)}.")
    if len(rank) > MOST_NUMBERS:
        raise ValueError(f"rank may return at most {MOST_NUMBERS} numbers, and gave {len(rank)}.")
    return tuple(_checked_number(value) for value in rank)


def _checked_number(value: object) -> float:
    if not isinstance(value, int | float):
        raise ValueError(f"rank must return numbers alone, and gave {_short(value)} among them.")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError("rank gave a number that is too large for a float.") from None
    if number != number:
        raise ValueError("rank gave NaN, which has no place in an order.")
    return number


def _short(value: object) -> str:
    return f"{type(value).__name__} {value!r:.60}"


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
