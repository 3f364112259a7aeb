"""What must hold in the books of the plant after every step: logs, discs, allocations, blanks. Only reads."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import lru_cache
from typing import Any, Final

from django.db import connection
from django.db.models import F, Sum

from devices.models import BlankBin, DeviceEvent, Disc, Write
from devices.states import DISC_MOVES, WRITE_MOVES
from fulfillment import counting
from fulfillment.lifecycle import JOB_TRANSITIONS, SHIPMENT_TRANSITIONS
from fulfillment.models import Allocation, Job, JobEvent, Shipment, ShipmentEvent, WriteShare
from tests.life.folding import Fold
from tests.life.quick import Asked

RESULTS: Final = ("good", "bad", "unknown")
LIVE: Final = ("planned", "started", "good")
BIN: Final = ("pk", "loaded", "adjusted", "started", *RESULTS)


@lru_cache
def _asked(_vendor: str) -> dict[str, Asked]:
    """Compiled once per database."""
    queries: dict[str, Any] = {
        "given": Allocation.objects.exclude(job=None).values_list(
            "job", "disc__state", "disc__write__image_sha256", "job__image__sha256"
        ),
        "jobs": Job.objects.values_list("pk", "state", "copies", "image__sha256"),
        "discs": Disc.objects.values_list("pk", "write", "state", "bin", "write__image_sha256"),
        "shares": WriteShare.objects.values_list("write", "copies", "write__copies"),
        "bins": BlankBin.objects.values_list(*BIN),
        "entries": BlankBin.objects.values_list("pk", "entries__column").annotate(Sum("entries__change")),
        "unread": Write.objects.filter(revision__gt=F("revision_read")).values_list("pk"),
        "shipments": Shipment.objects.values_list("pk", "state"),
        "writes": Write.objects.values_list("pk", "state"),
    }
    return {name: Asked(rows.order_by()) for name, rows in queries.items()}


class Books:
    """One example's books; begins with empty ones."""

    def __init__(self) -> None:
        self._asked = _asked(connection.vendor)
        self._folds = (
            Fold(_events(JobEvent, "job"), _rows(Job), JOB_TRANSITIONS),
            Fold(_events(ShipmentEvent, "shipment"), _rows(Shipment), SHIPMENT_TRANSITIONS, stays=True),
            Fold(_device_events("write", "write"), _rows(Write), WRITE_MOVES),
            Fold(
                _device_events("disc", "serial"),
                Disc.objects.values_list("serial", "state"),
                DISC_MOVES,
                first="planned",
            ),
        )

    def check(self) -> None:
        for fold in self._folds:
            fold.look()
        self._check_discs()
        self._check_sums()
        self._check_bins()

    def states(self) -> list[Any]:
        """All that a repeated message must not change."""
        discs = sorted(disc[:3] for disc in self._rows("discs"))
        jobs = sorted((str(pk), state) for pk, state, *_ in self._rows("jobs"))
        return [discs, jobs, *(sorted(self._rows(name)) for name in ("shipments", "writes", "bins"))]

    def _rows(self, name: str) -> list[tuple[Any, ...]]:
        return self._asked[name].rows()

    def _check_discs(self) -> None:
        """Good discs are given once, to whom they fit; no more is written than was ordered."""
        given: Counter[Any] = Counter()
        for job, state, written, wanted in self._rows("given"):
            given[job] += 1
            assert (state, written) == ("good", wanted)
        ordered: Counter[str] = Counter()
        for job, state, copies, image in self._rows("jobs"):
            ordered[image] += copies
            assert given[job] <= copies, f"job {job} got {given[job]} discs of {copies}"
            assert state != "made" or given[job] == copies, f"job {job} is made with {given[job]} discs of {copies}"
        sums: dict[Any, int] = defaultdict(int)
        shares = self._rows("shares")
        for write, copies, _ in shares:
            sums[write] += copies
        for write, _, copies in shares:
            assert sums[write] == copies, f"write {write} has {copies} discs for shares of {sums[write]}"
        written = Counter(image for _, write, state, _, image in self._rows("discs") if write in sums and state in LIVE)
        assert all(written[image] <= ordered[image] for image in written), f"{written} written, {ordered} ordered"

    def _check_sums(self) -> None:
        """What a job's row says of its discs, once every write was read."""
        if self._rows("unread"):
            return
        jobs = list(Job.objects.filter(state__in=Job.OPEN))
        for job, counts in zip(jobs, counting.count(jobs).values(), strict=True):
            assert (job.covered, job.lost) == (counts.covered, counts.lost), f"{job}: {counts}"

    def _check_bins(self) -> None:
        """A bin's columns are the sums of its entries and its discs; every spent blank ended somehow."""
        spent = Counter((bin_, state) for _, _, state, bin_, _ in self._rows("discs") if bin_ is not None)
        booked = {(bin_, column): change or 0 for bin_, column, change in self._rows("entries")}
        for pk, loaded, adjusted, started, *ended in self._rows("bins"):
            assert (loaded, adjusted) == (booked.get((pk, "loaded"), 0), booked.get((pk, "adjusted"), 0))
            assert ended == [spent[pk, result] for result in RESULTS]
            assert started == sum(ended) + spent[pk, "started"]


def _events(model: Any, owner: str) -> Any:
    return model.objects.values_list("pk", owner, "old", "new")


def _rows(model: Any) -> Any:
    return model.objects.values_list("pk", "state")


def _device_events(kind: str, owner: str) -> Any:
    return DeviceEvent.objects.filter(kind=kind).values_list("pk", owner, "old", "new")
