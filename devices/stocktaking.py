"""A person's word on a bin: so many blanks put in, or so many counted. Sent twice, it counts once.

Writes the ledger through `blanks` alone. Must never guess: a machine that counts by itself is believed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import F

from devices import blanks
from devices.intake import NotAccepted
from devices.models import BlankBin, BlankEntry

MOST: Final = 100_000  # blanks of one bin


def newest_entry(bin_: BlankBin) -> int:
    """The ledger's last line, by which a form says up to where its author has seen it; 0 for none."""
    return bin_.entries.order_by("-id").values_list("id", flat=True).first() or 0


def put_in(bin_: BlankBin, number: int, *, seen: int, by: str, why: str, now: datetime) -> bool:
    """`number` blanks were put in. False: the same was said since line `seen`, so this is the same word again."""
    _check(bin_, number, least=1)
    with transaction.atomic():
        _hold(bin_)
        same = bin_.entries.filter(pk__gt=seen, column=BlankEntry.Column.LOADED, change=number, by=by)
        if same.exists():
            return False
        blanks.load(bin_, number, by=by, why=why, now=now)
    return True


def count(bin_: BlankBin, number: int, *, by: str, why: str, now: datetime) -> int:
    """`number` blanks are in it, counted by a person. By how many the ledger was wrong."""
    _check(bin_, number, least=0)
    with transaction.atomic():
        _hold(bin_)
        bin_.refresh_from_db()
        change = number - bin_.remaining
        if not bin_.counted:
            blanks.load(bin_, change, by=by, why=why, now=now)  # until now nobody knew: this is where counting begins
        elif change:
            blanks.adjust(bin_, change, by=by, why=why, now=now)
    return change


def _check(bin_: BlankBin, number: int, least: int) -> None:
    if not least <= number <= MOST:
        raise NotAccepted("number", f"Enter a number from {least} to {MOST:,}.")
    if bin_.by_machine:
        raise NotAccepted("bin", "This machine counts its blanks itself: its next report tells what is in it.")


def _hold(bin_: BlankBin) -> None:
    """Holds the row, in every database, so that two words are taken one after the other."""
    BlankBin.objects.filter(pk=bin_.pk).update(counted=F("counted"))
