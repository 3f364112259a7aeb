"""Which image, how many copies, on which writer, now.

One pass places disc after disc, jobs in policy order, each disc on the drive that *finishes* it first: a cached
image wins by being sooner, and a disc waits for a better busy drive rather than start on a worse idle one. Jobs that
want the same image share the turn of the first of them. What fits a writer now goes out; the rest stays planned.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fulfillment.planning.cost import disc_seconds, fetch_seconds
from fulfillment.planning.model import (
    Assignment,
    JobView,
    Placement,
    Plan,
    Projection,
    Share,
    Snapshot,
    Wait,
    WriterView,
)
from fulfillment.planning.policies import Policy, full_rank

ROUNDS = 2  # a writer holds the discs its drives take now and one more round: a change of mind costs no more


def plan(snapshot: Snapshot, policy: Policy, now: float) -> Plan:
    """The commands to send now. Deterministic; never gives a writer more than it has drives and blanks for."""
    rolled = _Roll(snapshot.writers, now)
    waits = rolled.place_all(_in_turn(snapshot.jobs, policy, now))
    formats = {job.id: job.format for job in snapshot.jobs}
    sendable = {job.id for job in snapshot.jobs if job.image_ready_at is not None and job.image_ready_at <= now}
    room = {writer.id: len(writer.drives) * ROUNDS - writer.outstanding for writer in snapshot.writers}
    chosen: dict[tuple[str, str, str], dict[str, int]] = {}
    for placed in sorted(rolled.placements, key=lambda disc: disc.start):
        if room[placed.writer] <= 0 or placed.job not in sendable:
            continue
        room[placed.writer] -= 1
        shares = chosen.setdefault((placed.writer, placed.image, formats[placed.job]), defaultdict(int))
        shares[placed.job] += 1
    assignments = tuple(
        Assignment(writer, image, format_, tuple(Share(job, copies) for job, copies in shares.items()))
        for (writer, image, format_), shares in chosen.items()
    )
    served = {share.job for assignment in assignments for share in assignment.shares}
    return Plan(assignments, {job: wait for job, wait in waits.items() if job not in served})


def project(snapshot: Snapshot, policy: Policy, now: float) -> Projection:
    """The same pass, followed to its end: when each job's last disc is verified, and how the fleet stands then."""
    rolled = _Roll(snapshot.writers, now)
    rolled.place_all(_in_turn(snapshot.jobs, policy, now))
    placed: dict[str, list[float]] = defaultdict(list)
    for disc in rolled.placements:
        placed[disc.job].append(disc.finish)
    finishes = dict(snapshot.under_way)
    for job in snapshot.jobs:
        if len(placed[job.id]) == job.copies:
            finishes[job.id] = max(*placed[job.id], finishes.get(job.id, now))
        else:
            finishes.pop(job.id, None)
    return Projection(finishes, rolled.writers_left())


def _in_turn(jobs: Sequence[JobView], policy: Policy, now: float) -> Iterator[list[JobView]]:
    """Jobs of one image and format together, in the order of the first of each group."""
    head = policy.reorder(sorted(jobs, key=lambda job: full_rank(policy, job)), now)
    groups: dict[tuple[str, str], list[JobView]] = {}
    for job in head:
        groups.setdefault((job.image, job.format), []).append(job)
    yield from groups.values()


@dataclass(slots=True)
class _Writer:
    """A writer's state while discs are placed on it."""

    view: WriterView
    free_at: dict[str, float]
    link_free_at: float
    blanks: dict[str, int]
    present: dict[str, float] = field(default_factory=dict)

    def image_at(self, job: JobView, now: float) -> float:
        """When the image could be here, from the cache or over the link."""
        if job.image in self.view.cached:
            return now
        if job.image in self.present:
            return self.present[job.image]
        made_at = max(now, job.image_ready_at or now)
        return max(made_at, self.link_free_at) + fetch_seconds(self.view.rates, job.bytes)


class _Roll:
    """One pass over the queue. Placing a disc moves the drive's, the link's and the bin's state forward."""

    def __init__(self, writers: Iterable[WriterView], now: float) -> None:
        self.now = now
        self.placements: list[Placement] = []
        self.writers = [
            _Writer(
                view,
                {drive.id: max(now, drive.free_at) for drive in view.drives},
                max(now, view.link_free_at),
                dict(view.blanks),
            )
            for view in writers
        ]

    def place_all(self, groups: Iterable[list[JobView]]) -> dict[str, Wait]:
        """Places every disc that has a place; returns why a job has discs left, or waits for its turn."""
        waits: dict[str, Wait] = {}
        for group in groups:
            for job in group:
                waits[job.id] = self._place_job(job)
        return waits

    def _place_job(self, job: JobView) -> Wait:
        fitting = [writer for writer in self.writers if job.format in writer.view.formats]
        if not fitting:
            return Wait.WRITER
        if job.image_ready_at is None:
            return Wait.IMAGE
        trusted = [writer for writer in fitting if writer.view.id not in job.avoid] or fitting
        for _ in range(job.copies):
            # A bad memory of a writer is no reason to wait for blanks elsewhere.
            stocked = _with_blanks(trusted, job.format) or _with_blanks(fitting, job.format)
            if not stocked:
                return Wait.BLANKS
            self._place_disc(job, stocked)
        return Wait.DRIVE if job.image_ready_at <= self.now else Wait.IMAGE

    def _place_disc(self, job: JobView, writers: list[_Writer]) -> None:
        finish, _, writer, drive, start = min(self._options(job, writers), key=lambda option: option[:2])
        if job.image not in writer.view.cached and job.image not in writer.present:
            writer.present[job.image] = writer.link_free_at = writer.image_at(job, self.now)
        writer.free_at[drive] = finish
        if job.format in writer.blanks:
            writer.blanks[job.format] -= 1
        self.placements.append(Placement(job.id, job.image, writer.view.id, drive, start, finish))

    def _options(
        self, job: JobView, writers: list[_Writer]
    ) -> Iterator[tuple[float, tuple[str, str], _Writer, str, float]]:
        """For each writer its soonest drive: (finish, tie-break, writer, drive, start)."""
        for writer in writers:
            seconds = disc_seconds(writer.view.rates, job.bytes, job.format)
            drives = [drive.id for drive in writer.view.drives if job.format in drive.formats]
            drive = min(drives, key=lambda id_: (writer.free_at[id_], id_))
            start = max(writer.free_at[drive], writer.image_at(job, self.now))
            yield start + seconds, (writer.view.id, drive), writer, drive, start

    def writers_left(self) -> tuple[WriterView, ...]:
        return tuple(
            replace(
                writer.view,
                drives=tuple(replace(drive, free_at=writer.free_at[drive.id]) for drive in writer.view.drives),
                cached=writer.view.cached | frozenset(writer.present),
                blanks=writer.blanks,
                link_free_at=writer.link_free_at,
            )
            for writer in self.writers
        )


def _with_blanks(writers: list[_Writer], format_: str) -> list[_Writer]:
    return [writer for writer in writers if _blanks_left(writer.blanks, format_) > 0]


def _blanks_left(blanks: Mapping[str, int], format_: str) -> float:
    return blanks.get(format_, float("inf"))
