"""Calendars, carriers and services in the admin: what is refused at the door, and what says why there is no date."""

from __future__ import annotations

import datetime as dt
import html
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from fulfillment.models import Calendar, Carrier, PickUp, Service, TransitTime

HOME = {"country": "DE", "usual_days": "1", "usual_percent": "85", "most_days": "2", "most_percent": "99"}
REASON = re.compile(r'class="no-dates">.*?</svg>(.*?)</span>', re.DOTALL)


@pytest.fixture
def staff(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("anna"))
    return client


def rows(prefix: str, *each: dict[str, Any], kept: int = 0) -> dict[str, Any]:
    """A formset as the page sends it."""
    sent = {f"{prefix}-TOTAL_FORMS": str(len(each)), f"{prefix}-INITIAL_FORMS": str(kept)}
    return sent | {f"{prefix}-{number}-{name}": text for number, row in enumerate(each) for name, text in row.items()}


def page(row: Calendar | Carrier | Service) -> str:
    return f"/admin/fulfillment/{row._meta.model_name}/{row.pk}/change/"


def why(client: Client, address: str) -> list[str]:
    return [html.unescape(found).strip() for found in REASON.findall(client.get(address).content.decode())]


def send_calendar(client: Client, *days: dict[str, str], **changed: Any) -> Any:
    values = {"name": "Shop", "working_days": ["1", "2"], "opens": "08:00", "closes": "18:00", "packing_minutes": "30"}
    return client.post(page(Calendar.objects.get()), values | changed | rows("special_days", *days))


def send_service(client: Client, pick_ups: dict[str, str], *transit: dict[str, Any]) -> Any:
    """A new one."""
    collected = [{"weekday": weekday, "cut_off": cut_off} for weekday, cut_off in pick_ups.items()]
    values = {"key": "new", "name": "New", "carrier": Carrier.objects.get().pk}
    prices = {"price_minor": "500", "price_minor_abroad": "900"}
    forms = rows("pick_ups", *collected) | rows("transit_times", *transit)
    return client.post("/admin/fulfillment/service/add/", values | prices | forms)


def errors(answer: Any) -> dict[str, list[str]]:
    """By field, of the page's own form and of its rows."""
    assert answer.status_code == 200
    found: dict[str, list[str]] = dict(answer.context["adminform"].form.errors)
    for inline in answer.context["inline_admin_formsets"]:
        for row in inline.formset.errors:
            found |= row
    return found


def test_a_calendar_is_kept_with_its_days(staff: Client) -> None:
    days = [{"date": "2026-12-24", "name": "Eve"}, {"date": "2026-12-26", "name": "Rush", "works": "on"}]
    assert send_calendar(staff, *days, working_days=["6", "1"], region="BE").status_code == 302
    calendar = Calendar.objects.get()
    assert (calendar.working_days, calendar.region) == ("16", "BE")
    assert list(calendar.special_days.values_list("date", "works")) == [
        (dt.date(2026, 12, 24), False),
        (dt.date(2026, 12, 26), True),
    ]


def test_the_weekdays_that_are_kept_are_ticked(staff: Client) -> None:
    def ticked(row: Calendar | Service) -> int:
        return len(re.findall(r'checked aria-label="\w+day"', staff.get(page(row)).content.decode()))

    assert ticked(Calendar.objects.get()) == 5
    assert ticked(Service.objects.get(key="express")) == 6  # Germany's; other countries have their own working days


@pytest.mark.parametrize(
    ("changed", "field", "remedy"),
    [
        ({"working_days": []}, "working_days", "Tick at least one weekday"),
        ({"closes": "07:00"}, "closes", "Enter a time after 08:00"),
        ({"packing_minutes": "700"}, "packing_minutes", "The shop is open for 600 minutes"),
        ({"region": "Mars"}, "region", "Select a valid choice"),
    ],
)
def test_a_calendar_by_which_nothing_is_packed_is_refused(
    staff: Client, changed: dict[str, Any], field: str, remedy: str
) -> None:
    found = errors(send_calendar(staff, **changed))
    assert list(found) == [field]
    assert remedy in found[field][0]


def test_a_calendar_says_that_it_promises_nothing_and_why(staff: Client) -> None:
    address = page(Calendar.objects.get())
    assert why(staff, address) == []
    Calendar.objects.update(working_days="")
    assert why(staff, address) == ["No date can be promised: the shop works on no weekday. Tick at least one."]
    Calendar.objects.update(working_days="1", packing_minutes=1000)
    assert "nothing is packed within 60 days" in why(staff, address)[0]
    assert "nothing is packed within 60 days" in why(staff, page(Service.objects.get(key="express")))[0]
    Calendar.objects.all().delete()
    assert "the shop has no calendar" in why(staff, page(Service.objects.get(key="express")))[0]


def test_a_calendar_shows_the_holidays_that_it_keeps(staff: Client) -> None:
    assert "Good Friday" in staff.get(page(Calendar.objects.get())).content.decode()
    assert "Epiphany" not in staff.get(page(Calendar.objects.get())).content.decode()
    Carrier.objects.update(region="BY")
    assert "Epiphany" in staff.get(page(Carrier.objects.get())).content.decode()


def test_a_second_calendar_says_that_it_is_not_used(staff: Client) -> None:
    second = Calendar.objects.create(name="Spare")
    assert "Not used: dates are reckoned by the first calendar" in staff.get(page(second)).content.decode()


def test_a_service_is_kept_with_its_collections_and_transit_times(staff: Client) -> None:
    elsewhere = HOME | {"country": "", "most_days": "9", "delivery_days": ["1", "7"]}
    assert send_service(staff, {"1": "16:00", "5": "12:30", "6": ""}, HOME, elsewhere).status_code == 302
    made = Service.objects.get(key="new")
    assert list(made.pick_ups.values_list("weekday", "cut_off")) == [(1, dt.time(16)), (5, dt.time(12, 30))]
    assert list(made.transit_times.values_list("country", "most_days", "delivery_days")) == [
        ("", 9, "17"),
        ("DE", 2, ""),
    ]


@pytest.mark.parametrize(
    ("pick_ups", "transit", "field", "remedy"),
    [
        ({"1": "20:00"}, HOME, "cut_off", "The shop packs from 08:00 to 18:00: enter a time in between."),
        ({"1": "08:00"}, HOME, "cut_off", "The shop packs from 08:00 to 18:00: enter a time in between."),
        ({"1": "late"}, HOME, "cut_off", "Enter a valid time."),
        ({"1": "16:00"}, HOME | {"usual_days": "3"}, "most_days", "Enter 3 or more"),
        ({"1": "16:00"}, HOME | {"most_percent": "80"}, "most_percent", "Enter more than 85"),
        ({"1": "16:00"}, HOME | {"most_percent": "85"}, "most_percent", "Enter more than 85"),
        ({"1": "16:00"}, HOME | {"usual_days": "2"}, "most_percent", "Enter 85, as many as"),
        ({"1": "16:00"}, HOME | {"most_percent": "97"}, "most_percent", "Enter 98 or more"),
        ({"1": "16:00"}, HOME | {"most_percent": "101"}, "most_percent", "less than or equal to 100"),
        ({"3": "16:00"}, HOME | {"most_days": "91"}, "most_days", "less than or equal to 90"),
    ],
)
def test_what_no_date_can_be_reckoned_from_is_refused_at_its_field(
    staff: Client, pick_ups: dict[str, str], transit: dict[str, str], field: str, remedy: str
) -> None:
    found = errors(send_service(staff, pick_ups, transit))
    assert list(found) == [field]
    assert remedy in found[field][0]
    assert not Service.objects.filter(key="new").exists()


def test_two_rows_for_one_destination_are_refused(staff: Client) -> None:
    for country in ("FR", ""):
        answer = send_service(staff, {"1": "16:00"}, HOME | {"country": country}, HOME | {"country": country})
        assert "duplicate" in answer.content.decode()


def test_a_collection_whose_cut_off_was_cleared_says_how_to_end_it(staff: Client) -> None:
    service = Service.objects.get(key="express")
    PickUp.objects.filter(service=service, weekday__gt=1).delete()
    kept = {"id": str(service.pick_ups.get().pk), "weekday": "1", "cut_off": ""}
    sent = {
        "key": "express",
        "name": "Express",
        "carrier": service.carrier.pk,
        "price_minor": 1,
        "price_minor_abroad": 1,
    }
    answer = staff.post(page(service), sent | rows("pick_ups", kept, kept=1) | rows("transit_times"))
    assert errors(answer) == {
        "cut_off": ["Enter the time, or tick «Delete?»: without one, nothing is collected that day."]
    }


def test_each_weekday_has_its_row_from_the_start(staff: Client) -> None:
    shown = staff.get(page(Service.objects.get(key="express"))).context["inline_admin_formsets"][0].formset
    assert [form["weekday"].value() for form in shown.forms] == [1, 2, 3, 4, 5, 6, 7]


def test_a_service_says_what_it_would_promise_or_why_it_promises_nothing(staff: Client) -> None:
    service = Service.objects.get(key="express")
    assert why(staff, page(service)) == []
    assert "Made now, it is handed over on " in staff.get(page(service)).content.decode()
    TransitTime.objects.filter(country="DE").update(usual_percent=90, most_percent=90)
    assert "fewer than 98 of 100 parcels arrive within the most days (Germany)" in why(staff, page(service))[0]
    TransitTime.objects.all().delete()
    assert "it has no transit time, so it goes nowhere" in why(staff, page(service))[0]
    PickUp.objects.all().delete()
    assert "it is collected on no weekday" in why(staff, page(service))[0]
    assert len(why(staff, "/admin/fulfillment/service/")) == 2


def test_the_list_of_services_asks_as_often_for_ten_as_for_two(
    staff: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(8):
        made = Service.objects.create(key=f"s{number}", name="S", price_minor=1, carrier=Carrier.objects.get())
        PickUp.objects.create(service=made, weekday=1, cut_off=dt.time(12))
    with django_assert_max_num_queries(8):
        answer = staff.get("/admin/fulfillment/service/")
    assert "26 countries" not in answer.content.decode()
    assert "27 countries and elsewhere" in answer.content.decode()
