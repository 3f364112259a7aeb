"""What the library `holidays` knows: public holidays of a country and its regions, and its weekend.

Nothing of it is in the database, so it is asked once a process; a country that it doesn't know has no holidays.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import holidays

EVERY_DAY: Final = frozenset(range(1, 8))
MON_FRI: Final = frozenset(range(1, 6))
LANGUAGE: Final = "en_US"  # a country that has no names in it gives its own


@lru_cache(maxsize=2048)
def names(country: str, region: str, year: int) -> Mapping[dt.date, str]:
    """The holidays of one year, in order. `region` is a code of `regions`, or empty for the whole country's own."""
    if not dt.MINYEAR < year < dt.MAXYEAR or not _known(country):
        return {}
    subdivision = region if region in regions(country) else None
    found = holidays.country_holidays(country, subdiv=subdivision, years=year, language=LANGUAGE, expand=False)
    return MappingProxyType(dict(sorted(found.items())))


@lru_cache(maxsize=2048)
def dates(country: str, region: str, year: int) -> frozenset[dt.date]:
    """The holidays from the year before that one until two years after it: farther than any promise reaches."""
    return frozenset(date for each in range(year - 1, year + 3) for date in names(country, region, each))


@lru_cache(maxsize=512)
def weekdays(country: str) -> frozenset[int]:
    """The ISO numbers of the days on which people work there: Sunday to Thursday where Friday and Saturday are off."""
    if not _known(country):
        return MON_FRI
    return EVERY_DAY - {day + 1 for day in holidays.country_holidays(country).weekend}


@lru_cache(maxsize=512)
def regions(country: str) -> Mapping[str, tuple[str, ...]]:
    """The regions whose holidays differ: each one's code, and the names it goes by."""
    if not _known(country):
        return {}
    aliases = holidays.country_holidays(country).get_subdivision_aliases()
    return MappingProxyType({code: tuple(also) for code, also in aliases.items()})


@lru_cache(maxsize=2048)
def region(country: str, written: str) -> str:
    """The code of a region as an address has it, by code or by name; empty if it isn't known."""
    wanted = written.strip().casefold()
    each = regions(country).items()
    return next((code for code, also in each if wanted in {name.casefold() for name in (code, *also)}), "")


def _known(country: str) -> bool:
    return country in _countries()


@lru_cache(maxsize=1)
def _countries() -> frozenset[str]:
    return frozenset(holidays.list_supported_countries(include_aliases=False))
