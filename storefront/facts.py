"""What is amiss now, read from the rows of every floor: one fact for each matter, with its remedy. Changes nothing.

Another kind of alert is another function in `SOURCES`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Count, Max, Q, QuerySet, Sum

from archive.formats import FORMATS
from archive.models import Image, ImageState
from devices import silence
from devices.fleet import WillingWriter
from devices.models import Trouble, Writer
from devices.states import FOR_A_PERSON
from fulfillment import caching, choosing, reasons, score_sheet, shortages
from fulfillment.models import Job, Paper, Shipment, ShipmentEvent
from fulfillment.planning.model import Wait
from fulfillment.reasons import HELD_BY_HAND
from storefront import differences
from storefront.models import Mail, MoneyDifference, Order, Payment, Refund, TickRun
from storefront.pricing import format_amount

MOST: Final = 50  # of one kind: after these, staff has to do with them first
NEWS: Final = dt.timedelta(days=1)  # how long something that needs no hand is told
UNPACKING: Final = 7 * NEWS  # nobody tells us that it is done
WAIT: Final = dt.timedelta(hours=1)  # until a refund that was not made is told
STOPPED: Final = (Order.State.CANCELLATION_REQUESTED, Order.State.CANCELLED)
NAMED: Final = 5  # orders that a text names; it counts the others


@dataclass(frozen=True, slots=True)
class Fact:
    """`kind` and `key` name the matter for as long as it lasts; `text` says what it is and what to do."""

    kind: str
    key: str
    text: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", self.key[:200])
        object.__setattr__(self, "text", self.text if len(self.text) <= 1000 else self.text[:999] + "…")


def all_facts(now: dt.datetime) -> Iterator[Fact]:
    for source in SOURCES:
        yield from source(now)


REMEDIES: Final = {
    MoneyDifference.Kind.UNMATCHED: "Pay it back, or find its order, under Money differences in the admin.",
    MoneyDifference.Kind.NO_CHARGE: "Look at the payment at Stripe before the parcel leaves.",
    MoneyDifference.Kind.PAID_BACK: "Decide whether the order goes on; cancel it, or mark this as looked at.",
}


def money_differences(now: dt.datetime) -> Iterator[Fact]:
    for row in differences.unresolved()[:MOST]:
        amount = f" {format_amount(row.amount_minor, row.currency)}" if row.amount_minor and row.currency else ""
        text = f"{row.get_kind_display().capitalize()}:{amount} ({row.source}): {row.why}. "
        yield Fact(f"money-{row.kind}", row.source, text + _remedy(row))


def _remedy(row: MoneyDifference) -> str:
    kind = MoneyDifference.Kind(row.kind)
    if kind is MoneyDifference.Kind.UNMATCHED and not row.intent:
        return "No page of this shop took it. Look at it at Stripe, pay it back there, and mark it here as looked at."
    if kind is MoneyDifference.Kind.PAID_BACK and row.order and row.order.state in STOPPED:
        return "Choose «Pay back once more» for the order, or pay by hand and mark this as looked at."
    return REMEDIES[kind]


def refunds_that_wait(now: dt.datetime) -> Iterator[Fact]:
    rows = Refund.objects.filter(state=Refund.State.ASKED, created_at__lt=now - WAIT).select_related("payment__order")
    for row in rows.order_by("id")[:MOST]:
        text = f"The refund of {_whose(row)} is not made yet, after {row.attempts} tries: {row.reason or 'no answer'}"
        yield Fact("refund-waits", row.session, text + " It is tried on; look at it at Stripe.")


def _whose(row: Refund) -> str:
    whose = f"order {row.payment.order.number}" if row.payment else row.session
    return f"{format_amount(row.amount_minor, row.currency)} for {whose}"


def refused_refunds(now: dt.datetime) -> Iterator[Fact]:
    stuck = Q(payment__order__state=Order.State.CANCELLATION_REQUESTED) | Q(difference__resolved_at=None, payment=None)
    rows = Refund.objects.filter(stuck, state=Refund.State.REFUSED).select_related("payment__order")
    asked = set(Refund.objects.filter(state=Refund.State.ASKED).values_list("session", flat=True))
    for row in rows.order_by("id")[:MOST]:
        if row.session in asked:
            continue
        text = f"The refund of {_whose(row)} was refused: {row.reason} Mend it at Stripe, then pay back again."
        yield Fact("refund-refused", row.session, text)


def disputes(now: dt.datetime) -> Iterator[Fact]:
    stopped = Q(order__state=Order.State.CANCELLATION_REQUESTED)
    rows = Payment.objects.filter(stopped | Q(dispute_over_at=None), disputed_at__isnull=False).select_related("order")
    for payment in rows.order_by("id")[:MOST]:
        text = f"The payment of order {payment.order.number} ({payment.order.total}) is disputed"
        if payment.order.state == Order.State.SHIPPED:
            text += " after it was shipped. Answer at Stripe with the tracking number."
        elif payment.dispute_over_at is None:
            text += ", and its production is stopped. Answer at Stripe; when the bank has decided, end the order here."
        else:
            text += ", and the bank has decided. Won: pay the order back. Lost: close it without paying back."
        yield Fact("dispute", payment.key, text)


def paid_back_elsewhere(now: dt.datetime) -> Iterator[Fact]:
    rows = Refund.objects.filter(elsewhere=True, created_at__gt=now - NEWS, payment__order__state=Order.State.CANCELLED)
    for row in rows.select_related("payment__order").order_by("id")[:MOST]:
        if row.payment:
            number = row.payment.order.number
            text = f"Order {number} was paid back at Stripe, so it was cancelled here. If it is packed, unpack it."
            yield Fact("paid-back-elsewhere", number, text)


def parcels_to_unpack(now: dt.datetime) -> Iterator[Fact]:
    """A parcel that was packed before its shipment was cancelled: nothing but a person keeps it in the house."""
    of_late = ShipmentEvent.objects.filter(new=Shipment.State.CANCELLED, at__gt=now - UNPACKING)
    packed = Shipment.objects.filter(state=Shipment.State.CANCELLED, packed_at__isnull=False)
    for shipment in packed.filter(pk__in=of_late.values("shipment")).order_by("pk")[:MOST]:
        text = f"The parcel of {shipment.reference} was packed and then cancelled. Take it off the shelf and unpack it."
        yield Fact("unpack", shipment.reference, text)


def nights_without_reconciling(now: dt.datetime) -> Iterator[Fact]:
    run = TickRun.objects.filter(name="storefront.reconcile").first()
    if run and (run.succeeded_at is None or run.succeeded_at < run.finished_at):
        last = f"{run.succeeded_at:%Y-%m-%d}" if run.succeeded_at else "never"
        text = f"The nightly comparison with the payer's books did not come to its end; the last that did: {last}."
        yield Fact("reconcile-failed", "", text + " See the worker's log, and run: manage.py payments reconcile.")


def held_work(now: dt.datetime) -> Iterator[Fact]:
    """One fact for each reason and format; blanks are a matter of their own."""
    held = Job.objects.filter(state=Job.State.HELD).exclude(reason=Wait.BLANKS)
    held = held.exclude(reason__startswith=HELD_BY_HAND)  # whoever did that knows
    by = ("reason", "format")  # always the same ones of too many, or alerts would come and go
    for row in held.values(*by).annotate(jobs=Count("pk"), discs=Sum("copies")).order_by(*by)[:MOST]:
        reason, label = row["reason"], FORMATS[row["format"]].label
        yield Fact(_kind_of_hold(reason), f"{reason}:{row['format']}", _held_text(reason, row, label))


def _kind_of_hold(reason: str) -> str:
    return "writer-needed" if reason in {Wait.WRITER.value, Wait.ROOM.value} else "work-set-aside"


def _held_text(reason: str, row: Mapping[str, Any], label: str) -> str:
    what = f"{_counted(row['jobs'], 'job')} for {row['discs']} × {label}"
    if reason == Wait.WRITER.value:
        return f"{what} wait for a writer of this format. Bring one back, or resume one that is draining."
    if reason == Wait.ROOM.value:
        return (
            f"{what} wait for a writer whose disk can hold their images. Raise disk_limit, or give one a larger disk."
        )
    held = Job.objects.filter(state=Job.State.HELD, reason=reason, format=row["format"]).order_by("rank")
    named = ", ".join(held.values_list("reference", flat=True)[:NAMED])
    return f"{what} set aside: {reasons.text(reason)} Look at it, then release: {named}."


def shortages_of_blanks(now: dt.datetime) -> Iterator[Fact]:
    """One for each format, however many jobs and writers it stops."""
    for short in shortages.of_blanks():
        what = " or ".join(sorted(short.kinds)) or FORMATS[short.format].label
        where = f" in {_named(short.writers)} and no other writer at work has any" if short.writers else ""
        amiss = f"{what} blanks are used up{where}"
        if short.left:
            amiss = f"Too few {what} blanks: {short.left} left in {_named(short.writers)}"
        waits = f"{_counted(short.jobs, 'job')}, {_counted(short.discs, 'disc')} wait"
        text = f"{amiss}; {waits}. Load some; work goes on by itself."
        yield Fact("media-needed", f"{Wait.BLANKS.value}:{short.format}", text)


def full_disks(now: dt.datetime) -> Iterator[Fact]:
    """Room is made by itself where it may be; here all that lies there is being written, or wanted next."""
    waiting: dict[WillingWriter, list[str]] = {}
    for writer, need in caching.stuck(now):
        waiting.setdefault(writer, []).append(need.title)
    for writer, titles in waiting.items():
        text = (
            f"{writer.name}'s disk has no room for {_counted(len(titles), 'image')} ({_named(titles)}), and nothing "
            "on it may be dropped. Its writes wait until others there are done. Raise its disk_limit, or free its disk."
        )
        yield Fact("disk-full", str(writer.uuid), text)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count != 1 else ''}"


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def writers_that_wait_for_a_person(now: dt.datetime) -> Iterator[Fact]:
    for writer in Writer.objects.exclude(reasons=[]).filter(enabled=True).order_by("pk"):
        for reason in writer.reasons:
            if reason["keyword"] in FOR_A_PERSON:
                yield Fact("writer-waits", f"{writer.uuid}:{reason['keyword']}", f"{writer.name}: {reason['text']}")


def a_server_that_hears_nobody(now: dt.datetime) -> Iterator[Fact]:
    """Many writers fell silent in one minute: more likely the server's own network, or its door for reports."""
    if (doubt := silence.doubt()) is not None:
        text = (
            f"{doubt.silent} of {doubt.fleet} writers fell silent within a minute. The server suspects itself: none is "
            "set offline, and their work stays theirs. Look at its network and at its web processes."
        )
        yield Fact("server-hears-nobody", str(doubt.pk), text)


def a_policy_out_of_force(now: dt.datetime) -> Iterator[Fact]:
    if (choice := choosing.newest()) and choice.failure:
        text = (
            f"The policy {choice.policy} failed and is out of force: {choice.failure[:600]} "
            "Jobs are made in order of receipt. Mend it, then choose it or another in the admin: Choices of policy."
        )
        yield Fact("policy-failed", str(choice.pk), text)


def forecasts_out_of_their_band(now: dt.datetime) -> Iterator[Fact]:
    """More, or fewer, of the last week's discs were made in time than forecasts said."""
    for level, share in zip(score_sheet.WATCHED, score_sheet.last_week(now), strict=True):
        if share.is_below(level) or share.is_above(level):
            text = (
                f"Last week {share.held} of {share.of} shipments were made by the instant at which "
                f"{level:.0%} were to be. "
            )
            if share.is_below(level):
                text += "Dates are reckoned with a wider margin by themselves; look for what slows the plant down."
            else:
                text += "Dates are later than they need to be; they come nearer by themselves."
            yield Fact("forecasts-off", f"P{100 * level:.0f}", text)


def failed_papers(now: dt.datetime) -> Iterator[Fact]:
    rows = Paper.objects.filter(state=Paper.State.FAILED).exclude(shipment__state=Shipment.State.CANCELLED)
    for kind, papers in rows.values_list("kind").annotate(papers=Count("pk")).order_by():
        newest = rows.filter(kind=kind).order_by("-pk").values_list("shipment__reference", "reason").first()
        if newest:
            text = f"{papers} × {kind} not printed, the newest for {newest[0]}: {newest[1]} Mend it, then print again."
            yield Fact("papers-failed", kind, text)


def failed_images(now: dt.datetime) -> Iterator[Fact]:
    waited_for = Image.objects.filter(state=ImageState.FAILED, pk__in=_open_jobs().values("image"))
    for image in waited_for.order_by("pk")[:MOST]:
        jobs = _open_jobs().filter(image=image).count()
        text = f"The image of {image.source} can't be made: {image.reason} {jobs} jobs wait for it. Mend its source."
        yield Fact("image-failed", str(image.pk), text)


def failed_mail(now: dt.datetime) -> Iterator[Fact]:
    failed = Mail.objects.filter(state=Mail.State.FAILED, created_at__gt=now - 7 * NEWS).exclude(order=None)
    count = failed.count()
    newest = failed.order_by("-pk").values_list("order__number", "reason").first()
    if newest:
        text = f"{count} mails could not be sent, the newest for {newest[0]}: {newest[1]} Check the address, or call."
        yield Fact("mail-failed", "", text)


def set_aside(now: dt.datetime) -> Iterator[Fact]:
    """Rows whose work failed again and again: one fact for each step and reason."""
    rows = Trouble.objects.filter(set_aside_at__isnull=False)
    groups = rows.values("step", "reason").annotate(rows=Count("pk"), newest=Max("pk")).order_by("newest")[:MOST]
    names = dict(rows.filter(pk__in=[group["newest"] for group in groups]).values_list("pk", "name"))
    for group in groups:
        count, name = group["rows"], names.get(group["newest"], "")
        text = (
            f"{group['step']} failed for {count}, the newest {name}: {group['reason'][:300]}. Mend it, then try again."
        )
        yield Fact("work-set-aside", f"{group['step']}: {group['reason']}", text)


def _open_jobs() -> QuerySet[Job]:
    return Job.objects.filter(state__in=Job.OPEN)


SOURCES: Final[tuple[Callable[[dt.datetime], Iterator[Fact]], ...]] = (
    money_differences,
    refused_refunds,
    refunds_that_wait,
    disputes,
    paid_back_elsewhere,
    parcels_to_unpack,
    nights_without_reconciling,
    held_work,
    shortages_of_blanks,
    full_disks,
    set_aside,
    writers_that_wait_for_a_person,
    a_server_that_hears_nobody,
    a_policy_out_of_force,
    forecasts_out_of_their_band,
    failed_papers,
    failed_images,
    failed_mail,
)
