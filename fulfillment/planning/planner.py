"""Which image, how many copies, on which writer, now.

What must start soon is given out; what can wait is planned again at the next tick, with what is known then.
`docs/planning.md` explains the rules and what they reach.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from math import inf
from typing import Final

from fulfillment.planning import finish
from fulfillment.planning.model import Ahead, Assignment, Plan, Share, Snapshot, Wait
from fulfillment.planning.policies import Policy
from fulfillment.planning.pull import Pull
from fulfillment.planning.queue import Entry, Queue
from fulfillment.planning.ranks import full_rank
from fulfillment.planning.roll import Roll, waits_of
from fulfillment.planning.stations import Fits, Laid, Station, give, stations_of

LEAST_LOOK: Final = 60.0
MOST_LOOK: Final = 300.0
"""So long before a drive is free it gets its next disc: about a fetch. Less leaves it idle, more binds too early."""
ROUNDS: Final = 2  # a writer holds the discs its drives take now and one more round: a change of mind costs no more
LEAST_HEAD: Final = 100  # jobs of each format that are looked at, at least; else as many as there are writers
HOUR: Final = 3600.0
IMAGES_AHEAD: Final = 2  # what comes after them changes too often to be fetched for it


class Mode(Enum):
    """How the queue is worked off: in order; by prices, while it is deep; so that all drives end together."""

    ROLL = "roll"
    PULL = "pull"
    FINISH = "finish"


class Planner:
    """Plans over a queue and stations that somebody keeps up to date: rows read anew, or a simulation's own.

    What it gives out leaves the queue and stays on the stations.
    """

    def __init__(self, stations: Sequence[Station], queue: Queue, policy: Policy) -> None:
        self.stations = stations
        self.queue = queue
        self.policy = policy
        self._fits = Fits(stations)
        self._pull = Pull(self._fits, queue)

    def decide(self, now: float) -> Plan:
        """What to give out now, and why each of the jobs that were looked at waits."""
        mode = self._mode(now)
        if mode is Mode.PULL:
            return Plan(_assignments(self._pull.give_out(now)), {})
        if mode is Mode.FINISH:
            return Plan(_assignments(finish.give_out(self.queue, self._fits, now)), {})
        self._look_ahead(now)
        rolled = Roll(self._fits, now, open_only=True)
        waits = rolled.lay_all(self.queue, self._in_turn(self._head(), now))
        rolled.reset()
        given, later = self._give_out(rolled.laid, now)
        served = {one.entry.job.id for one in given}
        # What is short of blanks stays so while the discs that there are blanks for go out.
        waits = {job: wait for job, wait in waits.items() if job not in served or wait is Wait.BLANKS}
        return Plan(_assignments(given), waits, _ahead(later, given))

    def follow(self, now: float) -> tuple[list[Laid], dict[str, Wait]]:
        """One pass over the whole queue, followed to its end. The stations keep what was laid on them."""
        self._look_ahead(now)  # a drive that will be free some day is not idle: jobs are split only where drives are
        rolled = Roll(self._fits, now, open_only=False)
        everything = self.queue.head(dict.fromkeys(self.queue.formats(), len(self.queue)))
        waits = rolled.lay_all(self.queue, self._in_turn(everything, now))
        return rolled.laid, waits

    def _mode(self, now: float) -> Mode:
        """Where the policy minds the order, it is left to prices only with an hour of work, none of it due by then.

        An order that a person put first is never left to them.
        """
        any_order = self.policy.any_order
        if not any_order and (self._pull.rough <= HOUR or self._is_due_by(now + HOUR)):
            return Mode.ROLL  # prices need not be learned to know this
        deep = self._pull.is_deep(now)
        if not deep and not any_order:
            return Mode.ROLL
        if any(entry.job.put_first for entry in self.queue.first()):
            return Mode.ROLL
        if any_order:
            return Mode.PULL if deep else Mode.FINISH
        ends = now + self._pull.bound
        return Mode.PULL if self._pull.bound > HOUR and not self._is_due_by(ends) else Mode.ROLL

    def _is_due_by(self, at: float) -> bool:
        """Whether any of the head is."""
        return any((entry.job.due or inf) <= at for entry in self._head())

    def _head(self) -> Iterable[Entry]:
        most = max(LEAST_HEAD, len(self.stations))
        return self.queue.head({format_: most for format_ in self.queue.formats()})

    def _look_ahead(self, now: float) -> None:
        waiting = self.queue.waiting.values()
        mean_bytes = sum(each.bytes for each in waiting) // max(1, sum(each.discs for each in waiting))
        for station in self.stations:
            station.reach = now + min(MOST_LOOK, max(LEAST_LOOK, station.fetch(mean_bytes)))

    def _in_turn(self, head: Iterable[Entry], now: float) -> list[Entry]:
        """Jobs whose images are not made yet stand behind the others: no drive that is free now waits for them."""
        entries = self.queue.entries
        turn = [entries[job.id] for job in self.policy.reorder([entry.job for entry in head], now)]
        turn.sort(key=lambda entry: (entry.job.image_ready_at or 0.0) > now)
        return turn

    def _give_out(self, laid: Sequence[Laid], now: float) -> tuple[list[Laid], list[Laid]]:
        """The discs that their writers take now, and the others, each in the order in which they begin."""
        given: list[Laid] = []
        later: list[Laid] = []
        for one in sorted(laid, key=lambda one: one.slots[0].start):
            station = one.station
            if not one.entry.is_made(now):
                continue
            room = 0 if station.view.silent else len(station.free) * ROUNDS - station.outstanding
            # An image that must be fetched is asked for so much sooner: then it is there when the drive is.
            due = sum(1 for slot in one.slots if slot.start - one.fetch < station.reach)
            copies = min(due, max(0, room))
            if copies:
                given.append(give(self.queue, one.entry, station, copies, now))
            if copies < len(one.slots):
                later.append(Laid(one.entry, station, one.slots[copies:], one.fetch))
        return given, later


def planner_of(snapshot: Snapshot, policy: Policy, now: float) -> Planner:
    largest: dict[str, int] = {}
    for job in snapshot.jobs:
        largest[job.format] = max(job.bytes, largest.get(job.format, 0))
    queue = Queue(largest)
    for job in snapshot.jobs:
        queue.add(job, full_rank(policy, job))
    return Planner(stations_of(snapshot.writers, now), queue, policy)


def plan(snapshot: Snapshot, policy: Policy, now: float) -> Plan:
    """The commands to send now. Deterministic; never gives a writer more than it has drives and blanks for."""
    planner = planner_of(snapshot, policy, now)
    decided = planner.decide(now)
    given = {share.job for assignment in decided.assignments for share in assignment.shares}
    waits = waits_of(planner.queue, planner.stations, now, known=decided.waits.keys() | given)
    return replace(decided, waits={**waits, **decided.waits})


def _assignments(given: Sequence[Laid]) -> tuple[Assignment, ...]:
    chosen: dict[tuple[str, str, str, str | None], dict[str, int]] = {}
    for one in given:
        group, view, job = one.entry.group, one.station.view, one.entry.job.id
        if group.format in view.names_drives:
            by_drive = Counter(view.drives[slot.drive].id for slot in one.slots)
            parts: list[tuple[str | None, int]] = list(by_drive.items())
        else:
            parts = [(None, len(one.slots))]
        for drive, copies in parts:
            chosen.setdefault((view.id, group.image, group.format, drive), defaultdict(int))[job] += copies
    return tuple(
        Assignment(writer, image, format_, _shares(copies), drive)
        for (writer, image, format_, drive), copies in chosen.items()
    )


def _shares(copies: Mapping[str, int]) -> tuple[Share, ...]:
    return tuple(Share(job, discs) for job, discs in copies.items())


def _ahead(later: Sequence[Laid], given: Sequence[Laid]) -> tuple[Ahead, ...]:
    """The next images of each writer, beside those that it is given now."""
    now = {(one.station.id, one.entry.group.image) for one in given}
    seen: dict[str, set[str]] = defaultdict(set)
    ahead: list[Ahead] = []
    for one in later:
        writer, image = one.station.id, one.entry.group.image
        images = seen[writer]
        if (writer, image) in now or image in images or len(images) >= IMAGES_AHEAD:
            continue
        images.add(image)
        ahead.append(Ahead(writer, image, one.entry.job.id, one.slots[0].start))
    return tuple(ahead)
