"""What the board says of open orders, with real rows behind it."""

from __future__ import annotations

import datetime as dt

from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.models import Writer
from fulfillment import estimates, operators, rolling
from fulfillment.board.board import ROWS
from fulfillment.board.orders import Order, Standing, of_due
from fulfillment.board.page import Page, page
from fulfillment.models import Job, PlanRun, Shipment
from tests.scene import NOW, Plant, ask_for, make_image

HOUR = dt.timedelta(hours=1)
DAY = 24 * HOUR


def due(job: Job, at: dt.datetime) -> Job:
    Job.objects.filter(pk=job.pk).update(due=at)
    return job


def seen(now: dt.datetime = NOW, **address: str) -> Page:
    rolling.roll(now)
    return page(address, now)


def order_of(job: Job, found: Page) -> Order:
    return next(order for order in found.board.rows if order.reference == job.order)


def refs(found: Page) -> list[str]:
    return [order.reference for order in found.board.rows]


def made(job: Job, state: str, hand_over_by: dt.date) -> Job:
    Job.objects.filter(pk=job.pk).update(state=Job.State.MADE, covered=job.copies)
    Shipment.objects.filter(pk=job.shipment_id).update(state=state, hand_over_by=hand_over_by)
    return job


def test_an_order_is_late_at_risk_or_on_time_by_its_chance_to_miss_its_due() -> None:
    def standing(made_by_due: float) -> Standing:
        return of_due(NOW + HOUR, made_by_due, NOW, NOW, planned=True).standing

    assert [standing(share) for share in (0.49, 0.5, 0.79, 0.8, 1.0)] == [
        *(Standing.LATE, Standing.RISK, Standing.RISK, Standing.ON_TIME, Standing.ON_TIME)
    ]


def test_what_is_past_its_due_is_late_and_what_cannot_be_planned_has_no_date(plant: Plant) -> None:
    on_time, late = due(ask_for(1), NOW + DAY), due(ask_for(1), NOW - HOUR)
    undated = due(ask_for(1, format="bd"), NOW + DAY)
    found = seen()
    assert order_of(on_time, found).standing == Standing.ON_TIME
    assert order_of(on_time, found).spread
    assert order_of(late, found).standing == Standing.LATE
    assert order_of(undated, found).standing == Standing.NO_DATE
    assert refs(found)[0] == late.order


def test_a_plan_that_ends_after_the_due_makes_an_order_late_before_it_is(plant: Plant) -> None:
    job = due(ask_for(50, make_image("large", 700_000_000)), NOW + dt.timedelta(minutes=1))
    order = order_of(job, seen())
    assert order.standing == Standing.LATE
    assert order.outlook.missing
    assert order.outlook.missing > 0.9
    assert order.outlook.detail.endswith("short")


def test_the_most_urgent_come_first_and_of_each_standing_what_has_least_to_spare(plant: Plant) -> None:
    far, near = due(ask_for(1), NOW + 9 * DAY), due(ask_for(1), NOW + 5 * DAY)
    late, later = due(ask_for(1), NOW - HOUR), due(ask_for(1), NOW - DAY)
    assert refs(seen()) == [each.order for each in (later, late, near, far)]


def test_made_orders_are_late_after_the_day_on_which_they_must_leave(plant: Plant) -> None:
    late = made(ask_for(1), Shipment.State.READY, NOW.date() - DAY)
    today = made(ask_for(1), Shipment.State.PACKED, NOW.date())
    found = seen()
    assert (order_of(late, found).standing, order_of(today, found).standing) == (Standing.LATE, Standing.ON_TIME)
    assert order_of(late, found).reason.startswith("Waits to be packed. It should have left by")
    assert order_of(today, found).reason == "Waits for the carrier. It must leave by today."


def test_every_open_order_has_a_reason(plant: Plant) -> None:
    going = ask_for(1)
    plant.turn()
    jobs = [ask_for(1), ask_for(1, format="bd"), ask_for(1), ask_for(1)]
    operators.hold(Job.objects.get(pk=jobs[2].pk), "user:1 anna", NOW, "its artwork is asked for")
    Job.objects.filter(pk=jobs[3].pk).update(state=Job.State.MADE, covered=1)
    made(ask_for(1), Shipment.State.READY, NOW.date())
    made(ask_for(1), Shipment.State.PACKED, NOW.date())
    found = seen(plant.now)
    assert len(found.board.rows) == 7
    assert all(order.reason for order in found.board.rows)
    assert order_of(going, found).reason.startswith("Discs of it are being made.")
    assert order_of(going, found).writers == ("Writer 1",)
    assert "Number 1 of 2 that wait." in " ".join(order.reason for order in found.board.rows)
    assert order_of(jobs[2], found).reason == (
        "Held by an operator: its artwork is asked for. It goes on when somebody releases it."
    )


def test_filters_show_what_they_name_and_count_it(plant: Plant) -> None:
    late, held = due(ask_for(1), NOW - HOUR), due(ask_for(1), NOW + DAY)
    packed = made(ask_for(1, format="dvd"), Shipment.State.PACKED, NOW.date())
    ready = made(ask_for(1), Shipment.State.READY, NOW.date())
    operators.hold(Job.objects.get(pk=held.pk), "user:1 anna", NOW)
    wanted = {"late": late, "held": held, "packed": packed, "ready": ready, "behind": late, "today": ready}
    for show, job in wanted.items():
        assert refs(seen(show=show)) == [job.order], show
    assert refs(seen(format="dvd")) == [packed.order]
    everything = seen(show="nonsense", format="vhs", page="x", sort="?")
    assert len(everything.board.rows) == 4
    counts = {chip.name: chip.number for chip in everything.board.chips}
    assert (counts["All"], counts["Late"], counts["Held"], counts["At risk"]) == (4, 1, 1, 0)


def test_the_search_knows_number_town_name_title_and_disc(plant: Plant) -> None:
    job, other = ask_for(1), ask_for(1, make_image("another"))
    Shipment.objects.filter(pk=job.shipment_id).update(city="Görlitz", name="Ada Byron")
    Job.objects.filter(pk=job.pk).update(title="Rain songs")
    plant.turn()
    serial = job.shares.get().write.discs.get().serial
    for q in (job.order, "görl", "byron", "rain", f"{serial[:4]}-{serial[4:]}".lower()):
        assert job.order in refs(seen(plant.now, q=q)), q
    assert other.order not in refs(seen(plant.now, q="rain"))
    assert refs(seen(plant.now, q="nothing like it")) == []


def test_without_a_fresh_plan_no_chance_is_said(plant: Plant) -> None:
    job = due(ask_for(1), NOW + DAY)
    assert seen().has_plan
    old = page({}, NOW + dt.timedelta(minutes=5))
    assert not old.has_plan
    assert order_of(job, old).standing == Standing.NOT_KNOWN
    assert (order_of(job, old).outlook.missing, order_of(job, old).spread) == (None, None)
    PlanRun.objects.all().delete()
    assert order_of(job, page({}, NOW)).reason


def test_the_timeline_has_each_drive_with_what_is_begun_and_what_is_planned(plant: Plant) -> None:
    for number in range(8):
        ask_for(2, make_image(f"large {number}", 700_000_000))
    plant.turn()
    line = seen(plant.now).timeline
    assert [(row.writer, row.drive) for row in line.rows] == [("Writer 1", "Drive 1"), ("Writer 1", "Drive 2")]
    assert {bar.kind for row in line.rows for bar in row.bars} >= {"planned"}
    assert all(0 < bar.x < line.width and bar.width > 0 for row in line.rows for bar in row.bars)


def test_the_strip_counts_what_was_shipped_today_and_in_time(plant: Plant) -> None:
    for by in (NOW.date(), NOW.date() - DAY):
        made(ask_for(1), Shipment.State.SHIPPED, by)
    Shipment.objects.update(shipped_at=NOW)
    ask_for(1)
    counts = {count.name: (count.number, count.of) for count in seen().strip.counts}
    assert counts["open orders"] == (1, None)
    assert counts["shipped on time today"] == (1, 2)


def test_it_asks_as_often_for_many_orders_as_for_few(plant: Plant) -> None:
    def queries() -> int:
        rolling.roll(plant.now)
        with CaptureQueriesContext(connection) as asked:
            page({"q": "4K7P2M9XQR3T"}, plant.now)
        return len(asked)

    ask_for(1)
    plant.turn()
    ask_for(1)
    few = queries()
    for number in range(12):
        ask_for(1, make_image(f"image {number}"))
    assert queries() == few


def test_a_page_has_two_hundred_orders_and_says_how_many_more(plant: Plant) -> None:
    service = ask_for(1).shipment.service
    Shipment.objects.bulk_create(
        Shipment(reference=f"R-{number}", service=service, received_at=NOW, name="A", city="B", country="DE")
        for number in range(ROWS + 4)
    )
    first, second = seen(), seen(page="2")
    assert (len(first.board.rows), first.board.more, first.board.more_query) == (ROWS, 5, "?page=2")
    assert (len(second.board.rows), second.board.more) == (5, 0)


def test_an_order_without_jobs_or_promise_is_shown_all_the_same(plant: Plant) -> None:
    job = ask_for(1)
    Job.objects.filter(pk=job.pk).update(due=None)
    assert order_of(job, seen()).standing == Standing.FREE
    assert Writer.objects.exists()
    assert estimates.due([]) is None
