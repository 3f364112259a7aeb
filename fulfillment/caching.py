"""Keeps the writers' disks in step with the plan: makes room for what is needed there, has the next image come ahead.

What is needed now (by a write that is queued or about to be, or because a person wishes it there) may purge all that
eviction allows; a turn sees to that. What is planned next is seen to by the roll, and may purge only what nobody waits
for anywhere: else two writers would take turns in throwing out what the other one needs. Decides and asks; devices
carries it out. Asking twice changes nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from archive.models import TitleVersion
from devices import fleet, trouble, wishes
from devices.fleet import Fleet, WillingWriter
from devices.intake import ImageRef
from devices.models import ImageRequest, Writer
from fulfillment import disks
from fulfillment.disks import BY_PLAN, DiskView, Need, OnDisk
from fulfillment.open_jobs import OpenJob
from fulfillment.planning.cost import fetch_seconds, prior_rates
from fulfillment.planning.eviction import Disk, make_room
from fulfillment.planning.model import Plan

STEP: Final = "fulfillment.keep-images"
LOOK_AHEAD: Final = 300.0  # seconds before it is needed, beside its fetch: what is further off still changes
# Fetches at once over the fleet, those that a write waits for counted first: about so many fill the server's link, and
# one more would only slow these down. What is needed soonest comes first.
MOST_FETCHES: Final = 8
STALE: Final = dt.timedelta(minutes=1)  # what the plan has not wanted for so long is not fetched for it any more
PATIENCE: Final = dt.timedelta(minutes=5)  # a disk that is full of what is being written empties by itself

HAVE, DROP = ImageRequest.Wish.HAVE, ImageRequest.Wish.DROP


@dataclass(slots=True)
class Decision:
    """What to ask of one writer. `stuck`: what is needed there, and there is no room that may be made."""

    view: DiskView
    drops: list[ImageRef] = field(default_factory=list)
    haves: list[Need] = field(default_factory=list)
    withdrawn: list[ImageRequest] = field(default_factory=list)
    stuck: list[Need] = field(default_factory=list)


def make_ready(plan: Plan, jobs: Sequence[OpenJob], there: Fleet, now: dt.datetime) -> None:
    """Only what can't wait for the next roll: where something is about to be sent, or somebody waits for an image.

    Call it before the plan is carried out: an agent that is given a write without room for its image puts it off.
    """
    keys = {int(assignment.writer) for assignment in plan.assignments} | disks.wished_on()
    pressing = [writer for writer in there.working if writer.pk in keys]
    _carry_out(decide(plan, jobs, pressing, now, ahead=False), now)


def keep(plan: Plan, jobs: Sequence[OpenJob], there: Fleet, now: dt.datetime) -> None:
    """All disks of writers at work, and what comes ahead: that must be seen together, for they share the link."""
    _carry_out(decide(plan, jobs, there.working, now), now)


def _carry_out(decided: Sequence[Decision], now: dt.datetime) -> None:
    decisions = {decision.view.writer: decision for decision in decided}
    titles = _titles({image.sha256 for decision in decisions.values() for image in decision.drops})
    busy = [writer for writer, each in decisions.items() if each.drops or each.haves or each.withdrawn]
    trouble.each(STEP, busy, lambda writer: _ask(writer, decisions[writer], titles, now), now)


def without_room(now: dt.datetime) -> list[tuple[WillingWriter, Need]]:
    """What is needed on a disk now, where no room may be made for it now."""
    decisions = decide(Plan((), {}), (), fleet.read().working, now)
    return [(decision.view.writer, need) for decision in decisions for need in decision.stuck]


def stuck(now: dt.datetime) -> list[tuple[WillingWriter, Need]]:
    """Of that, what has waited for longer than it does where it ends by itself."""
    return [(writer, need) for writer, need in without_room(now) if need.since <= now - PATIENCE]


def decide(
    plan: Plan, jobs: Sequence[OpenJob], writers: Sequence[WillingWriter], now: dt.datetime, *, ahead: bool = True
) -> list[Decision]:
    """For each of these writers. Changes nothing."""
    if not writers:
        return []
    views = disks.read(plan, jobs, writers, now)
    short = [view.writer.pk for view in views if _is_short(view, now)]
    stored = disks.stored_on(short) if short else {}
    head = frozenset(job.image.sha256 for job in jobs if job.image.sha256)
    decisions = [_decide(view, stored.get(view.writer.pk, []), head, now, ahead=ahead) for view in views]
    _bound_fetches(decisions)
    return decisions


def _ask(asked: WillingWriter, decision: Decision, titles: Mapping[str, str], now: dt.datetime) -> None:
    writer = Writer.objects.get(pk=asked.pk)
    for request in decision.withdrawn:
        wishes.withdraw(request, why="The plan is another one now.", actor=BY_PLAN, now=now)
    for image in decision.drops:
        wishes.drop_image(writer, image, title=titles.get(image.sha256, ""), actor=BY_PLAN, now=now)
    for need in decision.haves:
        wishes.have_image(writer, need.image, title=need.title, actor=BY_PLAN, now=now)


def _titles(digests: Collection[str]) -> dict[str, str]:
    """For the log."""
    if not digests:
        return {}
    versions = TitleVersion.objects.filter(image__sha256__in=digests)
    return {sha256: title for sha256, title in versions.values_list("image__sha256", "title__title") if sha256}


def _decide(
    view: DiskView, stored: Sequence[OnDisk], head: frozenset[str], now: dt.datetime, *, ahead: bool
) -> Decision:
    decision = Decision(view, withdrawn=_out_of_date(view, now))
    if view.writer.disk_capacity is None:
        return decision  # it has not said anything yet
    room = _Room(view, stored, head)
    missing = view.missing()
    for need in missing:
        if (dropped := room.take(need, sparing=False)) is None:
            decision.stuck.append(need)
        else:
            decision.drops += dropped
    for need in view.reads:
        decision.drops += room.take(need, sparing=True) or []
    if missing or not ahead:
        return decision  # its link has nearer things to fetch
    asked = view.asked(HAVE)
    for need in _due(view, now):
        if (dropped := room.take(need, sparing=True)) is None:
            break
        decision.drops += dropped
        if room.is_there and need.image.sha256 not in asked:
            decision.haves.append(need)
    return decision


def _out_of_date(view: DiskView, now: dt.datetime) -> list[ImageRequest]:
    """Drops of what is wanted again, and fetches, not begun, of what the plan has no use for any more."""
    wanted = view.needs.keys() | view.ahead.keys() | view.kept
    drops = [request for sha256, request in view.asked(DROP).items() if sha256 in wanted]
    return drops + [
        request
        for sha256, request in view.asked(HAVE).items()
        if request.asked_by == BY_PLAN
        and request.asked_at <= now - STALE
        and sha256 not in wanted
        and sha256 not in view.present
    ]


def _due(view: DiskView, now: dt.datetime) -> list[Need]:
    """What is planned next, lacks, and is needed soon enough to be fetched now."""
    rates = prior_rates()
    return [
        need
        for sha256, need in view.ahead.items()
        if sha256 not in view.present
        and need.start - now.timestamp() <= LOOK_AHEAD + fetch_seconds(rates, need.image.size)
    ]


def _is_short(view: DiskView, now: dt.datetime) -> bool:
    needed = sum(need.image.size for need in [*(view.missing() or _due(view, now)), *view.reads])
    return needed > view.free


def _bound_fetches(decisions: Sequence[Decision]) -> None:
    """Of all that could be fetched ahead, what is needed soonest, as far as the server's link has nothing nearer."""
    ahead = sorted((need.start, each.view.writer.pk) for each in decisions for need in each.haves)
    if not ahead:
        return
    views = [decision.view for decision in decisions]
    running = disks.receiving([view.writer.pk for view in views])
    running += sum(len(view.missing()) for view in views)
    running += sum(1 for view in views for sha256 in view.asked(HAVE) if sha256 not in view.present | view.needs.keys())
    chosen = set(ahead[: max(0, MOST_FETCHES - running)])
    for decision in decisions:
        decision.haves = [need for need in decision.haves if (need.start, decision.view.writer.pk) in chosen]


class _Room:
    """The bytes of one disk while they are shared out, nearest need first."""

    def __init__(self, view: DiskView, stored: Sequence[OnDisk], head: frozenset[str]) -> None:
        self._refs = {seen.image: ref for seen, ref in stored}
        self._here = [seen for seen, _ in stored if seen.image not in view.leaving]
        self._view, self._head = view, head
        self._free = view.free + sum(view.leaving.values())
        self._free_now = view.free

    @property
    def is_there(self) -> bool:
        """Whether all that was taken so far fits before anything is dropped."""
        return self._free_now >= 0

    def take(self, need: Need, *, sparing: bool) -> list[ImageRef] | None:
        """Takes room for an image: what is to be dropped for it, or None if it can't be made to fit."""
        size = need.image.size
        queue = self._view.ahead.keys() | set[str]()
        if sparing:
            queue |= self._head | {seen.image for seen in self._here if not seen.elsewhere}
        disk = Disk(
            capacity=self._view.writer.disk_capacity or 0,
            free=self._free,
            images=tuple(self._here),
            in_use=frozenset(self._view.needs.keys() | self._view.kept),
            queue=frozenset(queue),
            head=self._head,
        )
        names = make_room(disk, size)
        if names is None:
            return None
        self._free += sum(seen.bytes for seen in self._here if seen.image in names) - size
        self._free_now -= size
        self._here = [seen for seen in self._here if seen.image not in names]
        return [self._refs[name] for name in names]
