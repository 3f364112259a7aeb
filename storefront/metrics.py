"""The numbers of the plant, read from the database when somebody asks.

Several web processes and workers share no memory, so a counter in one of them would be a lie; the rows are the truth.
The number of queries is fixed. Only the counts by state look at all rows: about 0.1 s for 100,000 orders on SQLite.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

from django.db.models import Count, F, Min, Model, Sum
from django.utils import timezone
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from devices.models import BlankBin, Disc, Drive, Read, SelfDoubt, Write, Writer
from devices.states import DiscState, ReadState, WriterState, WriteState
from fulfillment.models import Allocation, Job, PlanRun
from fulfillment.reasons import TEXTS
from storefront import broker
from storefront.models import Alert, Mail, Order, TickRun

WAITING: Final = (Job.State.WAITING, Job.State.HELD)


class PlantCollector(Collector):
    """One scrape. Register it anew for each: it holds no numbers."""

    def collect(self) -> Iterator[Metric]:
        now = timezone.now()
        yield _by_state("orders", "Orders by state.", Order, Order.State.values)
        yield from _jobs(now)
        yield _by_state("writes", "Writes by state.", Write, WriteState.values)
        yield _by_state("discs", "Discs by state, since the beginning.", Disc, DiscState.values)
        yield _by_state("reads", "Discs copied in from source drives, by state.", Read, ReadState.values)
        yield from _writers(now)
        yield from _drives()
        doubts = SelfDoubt.objects.filter(ended_at=None).exists()
        yield _gauge("server_doubts_itself", "1 while so many writers are silent that the server may be deaf.", doubts)
        yield _blanks()
        yield from _mails(now)
        yield _alerts()
        yield from _ticks()
        yield from _queues()
        newest = PlanRun.objects.order_by("-id").values_list("at", flat=True).first()
        if newest is not None:
            yield _gauge("plan_age_seconds", "Since the newest plan, from which all dates are read.", _age(newest, now))


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"spindle_{name}", text, value=value)


def _labelled(name: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"spindle_{name}", text, labels=[label])
    for key, value in values:
        family.add_metric([key], value)
    return family


def _age(since: dt.datetime | None, now: dt.datetime) -> float:
    """Seconds; 0 where there is nothing that could be old."""
    return max(0.0, (now - since).total_seconds()) if since else 0.0


def _by_state(name: str, text: str, model: type[Model], states: Iterable[str]) -> GaugeMetricFamily:
    """Every state is named, so that an alert never waits for a series that is not there yet."""
    rows: Any = model._default_manager.order_by().values_list("state").annotate(rows=Count("pk"))
    found = Counter(dict(rows))
    return _labelled(name, text, "state", [(state, found[state]) for state in states])


def _jobs(now: dt.datetime) -> Iterator[Metric]:
    yield _by_state("jobs", "Jobs by state.", Job, Job.State.values)
    held: Counter[str] = Counter()
    for reason, jobs in Job.objects.filter(state=Job.State.HELD).order_by().values_list("reason").annotate(Count("pk")):
        held[reason if reason in TEXTS else "other"] += jobs  # an operator's or an agent's own words are no label
    yield _labelled("jobs_held", "Jobs that wait for a person, by reason.", "reason", sorted(held.items()))
    open_jobs = Job.objects.filter(state__in=Job.OPEN).order_by()
    wanted = Counter(dict(open_jobs.values_list("format").annotate(discs=Sum("copies"))))
    made = Allocation.objects.filter(job__state__in=Job.OPEN).order_by()
    wanted.subtract(dict(made.values_list("job__format").annotate(discs=Count("pk"))))
    yield _labelled("discs_wanted", "Discs of open jobs that are not made yet, by format.", "format", wanted.items())
    oldest = Job.objects.filter(state__in=WAITING).aggregate(since=Min("received_at"))["since"]
    yield _gauge("oldest_waiting_job_seconds", "How long the oldest waiting or held job waits.", _age(oldest, now))


def _writers(now: dt.datetime) -> Iterator[Metric]:
    writers = list(Writer.objects.filter(enabled=True))
    states = Counter(writer.state for writer in writers)
    yield _labelled("writers", "Writers by state.", "state", [(state, states[state]) for state in WriterState.values])
    reasons = GaugeMetricFamily(
        "spindle_writer_reason", "1 while a writer has that reason.", labels=["writer", "reason"]
    )
    for writer in writers:
        for reason in writer.reasons:
            reasons.add_metric([writer.name, reason["keyword"]], 1)
    yield reasons
    silent = [(writer.name, _age(writer.last_seen, now)) for writer in writers if writer.last_seen]
    yield _labelled("writer_silent_seconds", "Since the writer's last report.", "writer", silent)


def _drives() -> Iterator[Metric]:
    """Over the life of each drive that its agent names."""
    drives = list(Drive.objects.filter(gone=False, writer__enabled=True).select_related("writer"))
    for name, text, column in (
        ("drive_discs", "Discs begun.", "discs"),
        ("drive_failures", "Discs that ended bad or unknown.", "failures"),
        ("drive_seconds", "Time spent on discs.", "seconds"),
    ):
        counter = CounterMetricFamily(f"spindle_{name}", text, labels=["writer", "drive"])
        for drive in drives:
            counter.add_metric([drive.writer.name, drive.ident], getattr(drive, column))
        yield counter


def _blanks() -> GaugeMetricFamily:
    bins = BlankBin.objects.filter(counted=True, writer__enabled=True).order_by().values_list("format")
    left = bins.annotate(left=Sum(F("loaded") + F("adjusted") - F("started")))
    return _labelled("blanks_remaining", "Counted blanks in enabled writers, by format.", "format", left)


def _mails(now: dt.datetime) -> Iterator[Metric]:
    waiting = Mail.objects.filter(state=Mail.State.WAITING).aggregate(mails=Count("pk"), since=Min("created_at"))
    failed = Mail.objects.filter(state=Mail.State.FAILED).count()
    yield _gauge("mails_waiting", "Mails in the outbox.", waiting["mails"])
    yield _gauge("mails_failed", "Mails that were given up.", failed)
    yield _gauge(
        "oldest_waiting_mail_seconds", "How long the oldest mail in the outbox waits.", _age(waiting["since"], now)
    )


def _alerts() -> GaugeMetricFamily:
    kinds = Alert.objects.filter(closed_at=None).order_by().values_list("kind").annotate(alerts=Count("pk"))
    return _labelled("alerts_open", "Alerts that are open, by kind.", "kind", kinds)


def _ticks() -> Iterator[Metric]:
    ticks = list(TickRun.objects.all())
    for name, text, column in (
        ("tick_runs", "Runs of a task, in all workers.", "runs"),
        ("tick_failures", "Runs that ended with an exception.", "failures"),
        ("tick_seconds", "Time spent in a task.", "seconds"),
    ):
        counter = CounterMetricFamily(f"spindle_{name}", text, labels=["tick"])
        for tick in ticks:
            counter.add_metric([tick.name], getattr(tick, column))
        yield counter
    yield _labelled(
        "tick_last_seconds", "How long the newest run took.", "tick", [(t.name, t.last_seconds) for t in ticks]
    )
    ends = [(tick.name, tick.finished_at.timestamp()) for tick in ticks]
    yield _labelled("tick_last_run_timestamp_seconds", "When the newest run ended.", "tick", ends)
    good = [(tick.name, tick.succeeded_at.timestamp()) for tick in ticks if tick.succeeded_at]
    yield _labelled("tick_last_success_timestamp_seconds", "When the newest good run ended.", "tick", good)


def _queues() -> Iterator[Metric]:
    lengths = broker.queue_lengths()
    yield _gauge("redis_up", "1 if Redis answers.", 0 if lengths is None else 1)
    values = sorted((lengths or {}).items())
    yield _labelled("queue_messages", "Messages that no worker has taken yet, by queue.", "queue", values)
