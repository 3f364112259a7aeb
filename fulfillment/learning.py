"""Learns the plant's speed from its own log, and says what planning is to reckon with.

Reads the devices' events once each, in their order, and writes what is learned; never touches what a person fixed.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from statistics import median
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from devices.agent import wire
from devices.compiled import Compiled
from devices.models import DeviceEvent, Disc, ImageRequest
from devices.states import DiscState, RequestState
from fulfillment import disc_chances
from fulfillment.models import LearnedRate, LearningMark
from fulfillment.planning.cost import Kind, disc_seconds, known_rates, prior, prior_rates, timed_disc
from fulfillment.planning.learning import learn
from fulfillment.planning.model import Rates

AT_ONCE: Final = 500  # events read in one tick
# No transaction is open so long: what gets a lower number is there by then. What lies as far ahead was stamped by a
# clock that has been put back since; to wait for it would be to learn nothing meanwhile.
SETTLED: Final = dt.timedelta(minutes=1)
# A smaller image is fetched while the server looks away once or twice: that times the look, not the link.
TELLING_FETCH: Final = 1_000_000_000  # bytes

LEARNED_FIELDS: Final = ("samples", "mean", "spread", "drift", "run", "resets", "learned_at", "reset_at", "reset_why")

Key = tuple[int, str, str, str]  # writer, drive, kind, format


@dataclass(frozen=True, slots=True)
class WriterRates:
    """A writer as a whole, and those of its drives whose discs were timed."""

    typical: Rates = field(default_factory=prior_rates)
    drives: Mapping[str, Rates] = field(default_factory=dict)

    def of(self, drive: str) -> Rates:
        return self.drives.get(drive, self.typical)


def rates_of(writers: Collection[int]) -> dict[int, WriterRates]:
    """By writer (its pk): fixed, else learned, else the prior. One query."""
    by_writer: dict[int, list[LearnedRate]] = defaultdict(list)
    for row in _all_rates():
        by_writer[row.writer_id].append(row)
    return {writer: _of_writer(by_writer[writer]) for writer in writers}


@Compiled
def _all_rates() -> QuerySet[LearnedRate]:
    return LearnedRate.objects.filter(writer__enabled=True).order_by("pk")


def typical_rates() -> Rates:
    """One typical drive of the plant: medians over the enabled writers. One query."""
    return _typical(LearnedRate.objects.filter(writer__enabled=True))


def learn_from_log(now: dt.datetime) -> int:
    """Takes the next finished discs and fetches; returns how many taught something. Harmless when run twice at once."""
    mark, _ = LearningMark.objects.get_or_create(pk=1)
    following = DeviceEvent.objects.filter(pk__gt=mark.event).order_by("pk")
    # Up to the first one that is not settled: numbers and times are not in one order, and the mark only goes forward.
    at = following.values_list("at", flat=True)
    if not _is_settled(at.first(), now):
        return 0
    settled = list(takewhile(lambda each: _is_settled(each, now), at[:AT_ONCE]))
    events = list(following[: len(settled)])
    with transaction.atomic():
        # Compare-and-set, and the lock: whoever comes second finds that these events are somebody's already.
        if not LearningMark.objects.filter(pk=1, event=mark.event).update(event=events[-1].pk):
            return 0
        rows = _learn(_discs(events), _fetches(events), now)
        disc_chances.learn(events, rows.ratios)
        return rows.taught


def _is_settled(at: dt.datetime | None, now: dt.datetime) -> bool:
    return at is not None and abs(now - at) >= SETTLED


def _of_writer(rows: Sequence[LearnedRate]) -> WriterRates:
    typical = _typical(rows)
    by_drive: dict[str, list[LearnedRate]] = defaultdict(list)
    for row in rows:
        if row.drive:
            by_drive[row.drive].append(row)
    return WriterRates(typical, {drive: _typical(own, typical) for drive, own in by_drive.items()})


def _typical(rows: Iterable[LearnedRate], otherwise: Rates | None = None) -> Rates:
    """The median of each; `otherwise` for what none of them tells."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows:
        found[row.kind, row.format].append(row.used)
    middle = {key: median(values) for key, values in found.items()}
    speeds = {format_: value for (kind, format_), value in middle.items() if kind == Kind.SPEED}
    loads = {format_: value for (kind, format_), value in middle.items() if kind == Kind.LOAD}
    link = middle.get((Kind.LINK, ""))
    if otherwise is None:
        return known_rates(speeds, loads, link)
    others = {format_: speed / 2 for format_, speed in otherwise.write.items()}
    return known_rates(others | speeds, {**otherwise.loads, **loads}, otherwise.link if link is None else link)


def _discs(events: Iterable[DeviceEvent]) -> list[Disc]:
    """Those that ran to their end on a drive, in the order in which they became final.

    A bad disc ran to its end if it was read back; one that was given up on the way would teach too short a time.
    What waited for a person did so before it was begun or after it was done (devices/hand_waits.py learns that).
    """
    ends = [event.serial for event in events if event.kind == "disc" and event.new in {DiscState.GOOD, DiscState.BAD}]
    whole = Q(state=DiscState.GOOD) | (Q(state=DiscState.BAD) & ~Q(verified=wire.Verified.NONE.value))
    timed = Disc.objects.filter(whole, serial__in=ends, started_at__isnull=False, finished_at__isnull=False, spoilt=0)
    found = {disc.serial: disc for disc in timed.exclude(drive="").select_related("write")}
    return [found[serial] for serial in ends if serial in found]


def _fetches(events: Iterable[DeviceEvent]) -> list[ImageRequest]:
    """Large ones that had their writer's link to themselves and never waited for another try."""
    done = [event for event in events if event.kind == "fetch" and event.new == RequestState.DONE]
    if not done:
        return []
    others: QuerySet[ImageRequest] = ImageRequest.objects.filter(
        Q(ended_at=None) | Q(ended_at__gt=OuterRef("asked_at")),
        writer=OuterRef("writer"),
        wish=ImageRequest.Wish.HAVE,
        asked_at__lt=OuterRef("ended_at"),
    ).exclude(pk=OuterRef("pk"))
    alone = ImageRequest.objects.filter(
        ~Exists(others),
        ended_at__in={event.at for event in done},
        wish=ImageRequest.Wish.HAVE,
        state=RequestState.DONE,
        size__gte=TELLING_FETCH,
        tries=0,
    )
    texts: dict[tuple[int, dt.datetime | None], str] = defaultdict(str)
    for event in done:
        texts[event.writer_id, event.at] += event.text
    return [each for each in alone.order_by("pk") if each.sha256[:12] in texts[each.writer_id, each.ended_at]]


def _learn(discs: Sequence[Disc], fetches: Sequence[ImageRequest], now: dt.datetime) -> _Rows:
    writers = {disc.write.writer_id for disc in discs} | {fetch.writer_id for fetch in fetches}
    kept = {_key(row): row for row in LearnedRate.objects.filter(writer__in=writers)} if writers else {}
    rows = _Rows(kept, now)
    for disc in discs:
        rows.take_disc(disc)
    for fetch in fetches:
        rows.take_fetch(fetch)
    LearnedRate.objects.bulk_create(row for key, row in rows.changed.items() if key not in kept)
    LearnedRate.objects.bulk_update([row for key, row in rows.changed.items() if key in kept], LEARNED_FIELDS)
    return rows


def _key(row: LearnedRate) -> Key:
    return (row.writer_id, row.drive, row.kind, row.format)


class _Rows:
    """The rows while samples come in, one after the other."""

    def __init__(self, kept: Mapping[Key, LearnedRate], now: dt.datetime) -> None:
        self._rows, self._now = dict(kept), now
        self.changed: dict[Key, LearnedRate] = {}
        self.ratios: dict[str, float] = {}
        """By serial: how long each disc took, over what was expected of it at that time."""
        self.taught = 0

    def take_disc(self, disc: Disc) -> None:
        write = disc.write
        if disc.started_at is None or disc.finished_at is None:
            return
        took = (disc.finished_at - disc.started_at).total_seconds()
        rates = self._learned_of(write.writer_id, disc.drive, write.format)
        used = self._used_of(write.writer_id, disc.drive, write.format)
        expected = disc_seconds(used, write.image_size, write.format)
        if took > 0 and write.verify:
            self.ratios[disc.serial] = took / expected
        if timed := timed_disc(rates, write.image_size, write.format, took, verify=write.verify):
            kind, ratio = timed
            self._take((write.writer_id, disc.drive, kind.value, write.format), ratio)

    def take_fetch(self, fetch: ImageRequest) -> None:
        if fetch.ended_at is not None and fetch.ended_at > fetch.asked_at:
            expected = fetch.size / prior(Kind.LINK)
            ratio = (fetch.ended_at - fetch.asked_at).total_seconds() / expected
            self._take((fetch.writer_id, "", Kind.LINK.value, ""), ratio)

    def _learned_of(self, writer: int, drive: str, format_: str) -> Rates:
        """What was learned, even where something else is fixed: a wrong fixed value must not spoil it."""
        speed = self._rows.get((writer, drive, Kind.SPEED.value, format_))
        load = self._rows.get((writer, drive, Kind.LOAD.value, format_))
        return known_rates({format_: speed.learned} if speed else {}, {format_: load.learned} if load else {})

    def _used_of(self, writer: int, drive: str, format_: str) -> Rates:
        """What was reckoned with: what a person fixed, or was learned."""
        speed = self._rows.get((writer, drive, Kind.SPEED.value, format_))
        load = self._rows.get((writer, drive, Kind.LOAD.value, format_))
        return known_rates({format_: speed.used} if speed else {}, {format_: load.used} if load else {})

    def _take(self, key: Key, ratio: float) -> None:
        writer, drive, kind, format_ = key
        row = self._rows.setdefault(key, LearnedRate(writer_id=writer, drive=drive, kind=kind, format=format_))
        before, after = row.state, learn(row.state, ratio)
        row.samples, row.mean, row.spread = after.samples, after.mean, after.spread
        row.drift, row.run, row.resets, row.learned_at = after.drift, list(after.run), after.resets, self._now
        if after.resets > before.resets:
            change = after.factor / before.factor
            row.reset_at = self._now
            row.reset_why = f"The last {after.samples} took about {change:.2g} times as long as was expected."
        self.changed[key] = row
        self.taught += 1
