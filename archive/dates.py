"""The dates that pycdlib writes: those of the source, in UTC, instead of the present moment in local time.

pycdlib asks its modules' `time` (and once `random`) whenever it makes a record, and takes no date from its
caller. Standing in for both makes the same input give the same bytes, and files keep their dates.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from types import ModuleType
from typing import Final

import pycdlib.dates
import pycdlib.headervd
import pycdlib.pycdlib
import pycdlib.udf
import pycdlib.utils

_DATE: Final[ContextVar[int | None]] = ContextVar("disc date", default=None)


@lru_cache(maxsize=16)
def _utc(seconds: float | None = None) -> time.struct_time:
    """Asked ten times for each entry. pycdlib always names the second."""
    if seconds is None:
        raise ValueError("A disc's date is never «now».")
    return time.gmtime(seconds)


class _DiscTime(ModuleType):
    """`time` as pycdlib sees it. Outside `dated` it is the real clock, in UTC."""

    gmtime = staticmethod(_utc)
    localtime = staticmethod(_utc)  # so that a disc doesn't depend on the server's zone
    strftime = staticmethod(time.strftime)
    strptime = staticmethod(time.strptime)
    struct_time = time.struct_time

    @staticmethod
    def time() -> float:
        date = _DATE.get()
        return time.time() if date is None else float(date)


class _DiscRandom(ModuleType):
    """`random` as pycdlib's UDF sees it: half of a volume set's name, drawn from the volume's date."""

    @staticmethod
    def getrandbits(bits: int) -> int:
        return int(_DiscTime.time()) * 0x9E3779B1 % (1 << bits)


def _stand_in() -> None:
    clock = _DiscTime("time")
    for module in (pycdlib.dates, pycdlib.headervd, pycdlib.pycdlib, pycdlib.udf, pycdlib.utils):
        vars(module)["time"] = clock
    vars(pycdlib.udf)["random"] = _DiscRandom("random")


_stand_in()


@contextmanager
def dated(seconds: int) -> Iterator[Callable[[int], object]]:
    """Within this block pycdlib's records carry the date `seconds` (since 1970, UTC). Holds for this thread only.

    Yields what sets another date until the block ends: for thousands of entries, a block each would cost too much.
    """
    token = _DATE.set(seconds)
    try:
        yield _DATE.set
    finally:
        _DATE.reset(token)
