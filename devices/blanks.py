"""The ledger of blanks: what is loaded, corrected and spent, and how spent blanks ended.

Every change of a bin goes through here, in the transaction of its cause. Must never change a state.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Count, F

from devices.models import BlankBin, BlankEntry, Disc, Writer
from devices.states import WRITE_AT_AGENT, DiscState

_RESULTS = frozenset({DiscState.GOOD, DiscState.BAD, DiscState.UNKNOWN})


def load(bin_: BlankBin, change: int, *, by: str, why: str, now: datetime) -> BlankEntry:
    """A person put `change` blanks into the bin (negative: took some out)."""
    column = BlankEntry.Column.LOADED
    with transaction.atomic():
        entry = BlankEntry.objects.create(bin=bin_, column=column, change=change, by=by, why=why, at=now)
        BlankBin.objects.filter(pk=bin_.pk).update(loaded=F("loaded") + change, counted=True)
    bin_.refresh_from_db()
    return entry


def adjust(bin_: BlankBin, change: int, *, by: str, why: str, now: datetime) -> None:
    """The count was wrong by `change`."""
    with transaction.atomic():
        BlankEntry.objects.create(bin=bin_, column=BlankEntry.Column.ADJUSTED, change=change, by=by, why=why, at=now)
        BlankBin.objects.filter(pk=bin_.pk).update(adjusted=F("adjusted") + change)
    bin_.refresh_from_db()


def count_disc(disc: Disc, old: str, *, now: datetime) -> None:
    """Counts what a disc's move from `old` to its present state means for its bin, once per move."""
    new = disc.state
    spent_now = old == DiscState.PLANNED and spends(disc)
    if spent_now:
        disc.bin = _bin_of(disc)
        Disc.objects.filter(pk=disc.pk).update(bin=disc.bin)
    if disc.bin_id is None or not (spent_now or old == DiscState.STARTED):
        return
    changes = {"started": F("started") + 1} if spent_now else {}
    if new in _RESULTS:
        changes[new] = F(new) + 1  # good, bad and unknown are columns of the same names
    BlankBin.objects.filter(pk=disc.bin_id).update(**changes)
    if new in _RESULTS and disc.spoilt and disc.bin is not None:
        why = f"Spoilt by the machine on its way to {disc.serial}."
        adjust(disc.bin, -disc.spoilt, by="agent", why=why, now=now)


def spends(disc: Disc) -> bool:
    """Whether a blank went into it: a disc that failed before it was started (no time of start) cost nothing."""
    if disc.state == DiscState.BAD:
        return disc.started_at is not None
    return disc.state in {DiscState.STARTED, DiscState.GOOD, DiscState.UNKNOWN}


def _bin_of(disc: Disc) -> BlankBin | None:
    """The bin that the blank came from: its drive's own, else the fullest of the format.

    A wrong guess costs two entries, not a blank: the machine's own count corrects both bins.
    """
    bins = list(BlankBin.objects.filter(writer_id=disc.write.writer_id, format=disc.write.format))
    return max(bins, key=lambda bin_: (bin_.bin == disc.drive, bin_.remaining, -bin_.pk), default=None)


def reserved(writer: Writer) -> dict[str, int]:
    """Discs per format that the writer was sent and has not started: blanks that are spoken for."""
    waiting = Disc.objects.filter(state=DiscState.PLANNED, write__writer=writer, write__state__in=WRITE_AT_AGENT)
    return dict(waiting.order_by().values_list("write__format").annotate(discs=Count("pk")))
