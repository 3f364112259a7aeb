"""How promises turned out: shares with their certainty, by the first promise, for people and for the plant itself."""

from __future__ import annotations

import datetime as dt
import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from devices.models import Disc, Write
from fulfillment import foreseeing, score_sheet
from fulfillment.models import Shipment, ShipmentForecast
from fulfillment.planning.belief import LEVELS, Belief
from fulfillment.planning.forecast import Chance, Forecast
from fulfillment.scores import Outcome, Share, score
from storefront import facts
from tests.scene import NOW, Plant, ask_for

pytestmark = pytest.mark.postgres

HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
FORECAST = Forecast(NOW.timestamp(), 3600.0, 600.0, 300.0, 1, 0, Chance())


def made(after: float, **also: object) -> Outcome:
    """Said to be made in one, two and three hours; made after so many."""
    return Outcome(
        ready=[NOW + HOUR, NOW + 2 * HOUR, NOW + 3 * HOUR],
        load=0.5,
        made_at=NOW + after * HOUR,
        **also,  # type: ignore[arg-type]  # the fields of an outcome
    )


def shipments(count: int, late: int) -> None:
    """So many made now, `late` of them after all instants that were said."""
    for number in range(count):
        shipment = ask_for(1).shipment
        said = NOW - 9 * HOUR if number < late else NOW
        Shipment.objects.filter(pk=shipment.pk).update(state="ready", ready_at=NOW)
        foreseeing.remember(shipment, foreseeing.Foreseen(FORECAST, "cd 1", Belief()))
        ShipmentForecast.objects.filter(shipment=shipment).update(
            ready_p50=said, ready_p90=said + HOUR, ready_p97=said + 2 * HOUR, place=0.5, scored_at=NOW
        )


def test_coverage_bias_and_sharpness_are_of_what_was_said_first() -> None:
    found = score([made(0.5), made(1.5), made(2.5), made(9)])
    assert [share.held for share in found.coverage] == [1, 2, 3]
    assert found.bias == pytest.approx(1.0)
    assert found.sharpness == pytest.approx((2.5 + 1.5 + 0.5 - 6) / 4)


def test_bands_of_load_share_out_all_that_was_made() -> None:
    loads = [0.0, 0.99, 1.0, 1.99, 2.0, 50.0]
    found = score([Outcome([NOW] * 3, load, made_at=NOW) for load in loads])
    assert [coverage[0].of for _, coverage in found.by_band] == [2, 2, 2]


def test_only_what_is_known_is_in_a_share() -> None:
    friday = dt.date(2026, 11, 20)
    parcels = [
        made(1, hand_over_by=friday, handed_over_on=friday, promised_on=friday, delivered_on=friday),
        made(1, hand_over_by=friday, handed_over_on=friday + DAY, promised_on=friday),
        made(1, hand_over_by=friday),
    ]
    found = score(parcels)
    assert (found.handed_over, found.arrived) == (Share(1, 2), Share(1, 1))


def test_a_warning_that_was_right_scores_better_than_none() -> None:
    friday = dt.date(2026, 11, 20)

    def late(risk: float) -> Outcome:
        return made(1, hand_over_by=friday, handed_over_on=friday + DAY, risk=risk)

    warned, silent = score([late(0.9)]).brier[0], score([late(0.02)]).brier[0]
    assert warned is not None
    assert silent is not None
    assert warned < 0.05 < 0.9 < silent


@given(st.integers(0, 500), st.integers(0, 500))
def test_an_interval_holds_the_share_it_is_of(held: int, more: int) -> None:
    share = Share(held, held + more)
    low, high = share.interval
    assert 0 <= low <= high <= 1
    if share.share is not None:
        assert low - 1e-9 <= share.share <= high + 1e-9
    assert not (share.is_below(0.9) and share.is_above(0.9))


def test_a_week_in_which_too_many_were_late_opens_an_alert_and_widens_what_is_said(plant: Plant) -> None:
    shipments(40, late=2)
    assert not list(facts.forecasts_out_of_their_band(NOW))
    assert not foreseeing.belief(NOW).is_wide
    shipments(20, late=20)
    alerts = list(facts.forecasts_out_of_their_band(NOW))
    assert [fact.key for fact in alerts] == ["P90", "P97"]
    assert "38 of 60" in alerts[0].text
    wide = foreseeing.belief(NOW)
    assert wide.is_wide
    narrow = Belief(wide.chance, wide.places)
    assert wide.levels(FORECAST, "cd 1")[0] == narrow.levels(FORECAST, "cd 1")[0]
    assert wide.levels(FORECAST, "cd 1")[1:] > narrow.levels(FORECAST, "cd 1")[1:]
    week_after = NOW + score_sheet.WEEK + HOUR
    assert not foreseeing.belief(week_after).is_wide, "it ends when they hold again"


def test_few_shipments_prove_nothing(plant: Plant) -> None:
    shipments(20, late=20)
    assert not list(facts.forecasts_out_of_their_band(NOW))


def test_a_parcel_that_should_have_left_and_is_not_made_counts_as_late(plant: Plant) -> None:
    shipment = ask_for(1).shipment
    foreseeing.remember(shipment, foreseeing.Foreseen(FORECAST, "cd 1", Belief()))
    assert score_sheet.scores(NOW - DAY, NOW + HOUR).handed_over == Share(0, 0)
    assert score_sheet.scores(NOW - DAY, NOW + 7 * DAY).handed_over == Share(0, 1)


def report(*words: str) -> str:
    out = io.StringIO()
    call_command("promise_report", *words, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_the_report_says_that_there_is_nothing_yet() -> None:
    assert "Nothing to score yet" in report()


def test_the_report_says_how_promises_held(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW + HOUR)
    shipments(10, late=1)
    told = report("--days", "7")
    assert "Shipments made in the last 7 days: 10" in told
    assert all(f"P{100 * level:.0f}" in told for level in LEVELS)
    assert "90.0 % of 10" in told
    assert "Arrived in time        not known yet" in told


@pytest.mark.parametrize("days", ["0", "-3", "many", "99999"])
def test_days_that_make_no_sense_are_refused_with_what_would(days: str) -> None:
    with pytest.raises(CommandError, match="--days: give whole days from 1 to 3660"):
        report("--days", days)


def test_the_page_says_how_dates_held_and_has_its_numbers_beside_the_plots(
    plant: Plant, admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW + HOUR)
    assert "Here will be how promised dates held" in admin_client.get("/staff/promises/").content.decode()
    shipments(10, late=1)
    for asked, days in (("7", 7), ("soon", 28), ("-1", 28)):
        answer = admin_client.get("/staff/promises/", {"days": asked})
        assert answer.context["days"] == days
        assert len(json.loads(answer.context["coverage"])[0]) == days + 1
    newest = answer.context["by_day"][-1]
    assert (newest.scores.coverage[1].held, newest.scores.coverage[1].of) == (9, 10)


def test_discs_count_on_the_day_of_the_shop_and_in_their_own_hour(plant: Plant) -> None:
    ask_for(1)
    plant.turn()
    write = Write.objects.get()
    late = dt.datetime(2026, 11, 18, 23, 30, tzinfo=dt.UTC)  # half past midnight in Berlin
    for number, at in enumerate((late, late, late - 2 * HOUR)):
        Disc.objects.create(serial=f"DAY{number}", write=write, state="good", final_at=at)
    since, until = late - DAY, late + HOUR
    days = score_sheet.by_day([], since, until)
    assert [(day.date.day, day.good_discs) for day in days] == [(18, 1), (19, 2)]
    hours = {at.hour: discs for at, discs in score_sheet.discs_by_hour(late - 3 * HOUR, until)}
    assert hours == {20: 0, 21: 1, 22: 0, 23: 2, 0: 0}
