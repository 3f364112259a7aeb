from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client
from django.utils import timezone

from fulfillment.models import PlanRun, Shipment, TransitTime
from storefront.models import Order, Payment, Product
from storefront.templatetags.spindle import day, short_day
from tests.scene import Plant, make_title
from tests.storefront.shopping import BUYER, enter, only_order, pay, problem_of, put, review, to_hosted_page
from tests.storefront.standin.running import StandIn

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


@pytest.fixture
def product(plant: Plant) -> Product:
    return make_title()


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"name": ""}, "name", "Enter your name."),
        ({"name": "12345"}, "name", "Enter the name with letters."),
        ({"name": "A\u202eB"}, "name", "can't be printed on a label"),
        ({"email": "zoe@"}, "email", "Enter an e-mail address like"),
        ({"phone": "call me"}, "phone", "Enter digits"),
        ({"line1": ""}, "line1", "Enter your address line 1."),
        ({"line1": "x" * 101}, "line1", "at most 100 characters"),
        ({"city": "0"}, "city", "Enter the name with letters."),
        ({"postal_code": ""}, "postal_code", "Enter your postal code."),
        ({"postal_code": "ABC"}, "postal_code", "no postal code of the country"),
        ({"country": "US", "postal_code": "95014"}, "region", "Enter your state"),
        ({"country": "XX"}, "country", "We don't know this country."),
        ({"country": ""}, "country", "Choose a country."),
        ({"service": "teleport"}, "service", "not offered"),
        ({"service": ""}, "service", "Choose how we ship."),
        ({"wanted_on": "2001-01-01"}, "wanted_on", "This date is past."),
        ({"wanted_on": "soon"}, "wanted_on", "Enter a date like"),
    ],
)
def test_what_is_wrong_is_told_beside_its_field(
    client: Client, product: Product, changes: dict[str, str], field: str, said: str
) -> None:
    put(client, product)
    answer = enter(client, **changes)
    assert answer.status_code == 422
    assert said in problem_of(answer, field)
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    "address",
    [
        {"country": "JP", "postal_code": "160-0022", "city": "新宿区", "region": "東京都", "line1": "新宿3-38-1"},
        {"country": "IE", "postal_code": "", "city": "Galway", "line1": "The Cottage, Spiddal"},
        {"country": "HK", "postal_code": "", "city": "Hong Kong", "line1": "88 Queensway"},
        {
            "country": "BR",
            "postal_code": "01310-100",
            "city": "São Paulo",
            "region": "SP",
            "line1": "Av. Paulista 1578",
        },
        {"country": "GB", "postal_code": "sw1a1aa", "city": "London", "line1": "Flat 2", "line2": "10 Downing St"},
        {"country": "US", "postal_code": "94107", "city": "San Francisco", "region": "CA", "line1": "PO Box 77"},
        {"country": "US", "postal_code": "09001", "city": "APO", "region": "AE", "line1": "PSC 1234, Box 56"},
        {"country": "FR", "postal_code": "75700", "city": "Paris Cedex 07", "line1": "110 rue de Grenelle"},
        {"country": "IN", "postal_code": "400001", "city": "Mumbai", "region": "Maharashtra", "line1": "Fort"},
    ],
)
def test_real_addresses_abroad_go_through(client: Client, product: Product, address: dict[str, str]) -> None:
    put(client, product)
    answer = enter(client, **address)
    assert answer.status_code == 302, answer.context["form"].errors


def test_the_choice_says_by_when_it_comes_and_how_early_it_may(client: Client, product: Product) -> None:
    put(client, product)
    answer = client.get("/checkout/")
    standard = next(option for option in answer.context["options"] if option.service.key == "standard")
    assert standard.likely[0] < standard.arrives_on
    early = f"maybe as early as {short_day(standard.likely[0])}. Leaves us"
    assert f"Arrives <strong>{day(standard.arrives_on)}</strong>, {early}" in answer.content.decode()


def test_a_date_that_only_express_makes_is_told_with_the_remedy(client: Client, product: Product) -> None:
    put(client, product)
    options = {option.service.key: option for option in client.get("/checkout/").context["options"]}
    express = options["express"].arrives_on
    answer = enter(client, wanted_on=express.isoformat())
    assert answer.status_code == 422
    assert "Choose Express: it arrives" in problem_of(answer, "wanted_on")
    assert enter(client, wanted_on=express.isoformat(), service="express").status_code == 302


def test_a_date_that_nothing_makes_is_told_with_the_earliest(client: Client, product: Product) -> None:
    put(client, product)
    answer = enter(client, wanted_on=timezone.localdate().isoformat(), service="express")
    assert "the earliest is" in problem_of(answer, "wanted_on")


def test_a_service_that_does_not_go_there_is_refused(client: Client, product: Product) -> None:
    TransitTime.objects.exclude(country="DE").filter(service__key="express").delete()
    put(client, product)
    answer = enter(client, country="FR", postal_code="75001", city="Paris", service="express")
    assert "doesn't go to that country" in problem_of(answer, "service")


def test_a_domestic_buyer_sees_no_more_than_eight_fields_that_must_be_filled(client: Client, product: Product) -> None:
    put(client, product)
    form = client.get("/checkout/").context["form"]
    assert sum(field.field.required for field in form) <= 8
    tokens = {field.name: field.field.widget.attrs.get("autocomplete") for field in form}
    assert tokens["name"] == "name"
    assert tokens["postal_code"] == "postal-code"


def test_without_a_cart_there_is_no_checkout(client: Client, product: Product) -> None:
    assert client.get("/checkout/")["Location"] == "/cart/"
    assert client.get("/checkout/review/")["Location"] == "/checkout/"


def test_what_was_entered_is_not_asked_again(client: Client, product: Product) -> None:
    put(client, product)
    enter(client)
    page = client.get("/checkout/").content.decode()
    assert BUYER["line1"] in page


def test_the_order_stands_before_the_payer_is_asked(client: Client, product: Product, standin: StandIn) -> None:
    url = to_hosted_page(client, product, 3)
    order = only_order()
    assert url.startswith(standin.url)
    assert (order.state, order.total_minor) == (Order.State.AWAITING_PAYMENT, 3 * 990 + 390)
    assert order.number.startswith("S-")
    assert len(order.number) == 10
    assert len(order.token) == 32
    assert not Shipment.objects.exists()
    assert list(order.events.values_list("new", flat=True)) == ["awaiting-payment"]


def test_pressing_pay_twice_leads_to_the_same_page_of_the_same_order(
    client: Client, product: Product, standin: StandIn
) -> None:
    first = to_hosted_page(client, product)
    second = pay(client)["Location"]
    assert first == second
    assert Order.objects.count() == Payment.objects.count() == 1
    assert standin.rows("SELECT count(*) FROM sessions") == [{"count(*)": 1}]


def test_a_second_press_changes_nothing_of_the_order(client: Client, product: Product, standin: StandIn) -> None:
    to_hosted_page(client, product)
    before = only_order().revision
    pay(client)
    assert only_order().revision == before
    assert only_order().events.count() == 1


def test_what_another_tab_changed_is_shown_before_paying(client: Client, product: Product, standin: StandIn) -> None:
    """The same total for something else, or to somewhere else, is something else."""
    put(client, product)
    enter(client)
    seen = review(client).context["seen"]
    enter(client, line1="Nebenstraße 1")
    assert client.post("/checkout/pay/", {"seen": seen}).status_code == 409
    assert not Order.objects.exists()


def test_a_date_entered_after_going_back_is_kept(client: Client, product: Product, standin: StandIn) -> None:
    to_hosted_page(client, product)
    wanted = timezone.localdate() + dt.timedelta(days=60)
    enter(client, wanted_on=wanted.isoformat())
    pay(client)
    assert only_order().wanted_on == wanted


def test_an_order_too_dear_for_a_card_is_told_before_the_checkout(client: Client, product: Product) -> None:
    Product.objects.update(price_minor=90_000_00)
    put(client, product, 1000)
    assert b"at the most. Lower a number" in client.get("/checkout/", follow=True).content


def test_a_changed_cart_closes_the_old_page_and_keeps_the_number(
    client: Client, product: Product, standin: StandIn
) -> None:
    first = to_hosted_page(client, product, 1)
    number = only_order().number
    put(client, product, 5)
    second = pay(client)["Location"]
    assert first != second
    order = only_order()
    assert (order.number, order.total_minor) == (number, 5 * 990 + 390)
    assert list(order.payments.values_list("state", flat=True)) == ["expired", "open"]
    assert [line.copies for line in order.lines.all()] == [5]


def test_a_price_that_changed_under_the_hand_is_shown_before_paying(
    client: Client, product: Product, standin: StandIn
) -> None:
    put(client, product)
    enter(client)
    seen = review(client).context["seen"]
    Product.objects.update(price_minor=1990)
    answer = client.post("/checkout/pay/", {"seen": seen})
    assert answer.status_code == 409
    assert b"Something changed since you looked" in answer.content
    assert not Order.objects.exists()


def test_a_payer_that_is_away_keeps_the_cart_and_says_so(client: Client, product: Product, standin: StandIn) -> None:
    standin.stop()
    put(client, product)
    enter(client)
    answer = pay(client)
    assert answer.status_code == 503
    assert b"Nothing was charged" in answer.content
    assert client.session["cart"] == {str(product.pk): 1}
    standin.start()
    assert pay(client)["Location"].startswith(standin.url)
    assert Order.objects.count() == 1


def test_coming_back_without_paying_finds_everything_as_it_was(
    client: Client, product: Product, standin: StandIn
) -> None:
    to_hosted_page(client, product, 2)
    answer = client.get("/checkout/cancelled/", follow=True)
    assert b"Nothing was charged" in answer.content
    assert client.session["cart"] == {str(product.pk): 2}


def test_a_date_shown_on_a_stale_plan_is_no_promise(client: Client, product: Product, plant: Plant) -> None:
    PlanRun.objects.update(at=timezone.now() - dt.timedelta(minutes=5))
    put(client, product)
    assert b"We confirm the date by e-mail" in client.get("/checkout/").content


def verdict(client: Client, **entered: str) -> str:
    page = client.get("/checkout/options/", {"country": "DE", "service": "standard"} | entered).content.decode()
    return page.partition('<p class="verdict">')[2].partition("</p>")[0]


def test_a_wanted_date_gets_its_answer_at_once(client: Client, product: Product) -> None:
    put(client, product)
    shown = client.get("/checkout/options/", {"country": "DE"}).context["options"]
    standard, express = (option.arrives_on for option in shown)
    assert express < standard
    assert ">holds</span>" in verdict(client, wanted_on=standard.isoformat())
    assert ">holds with Express</span>" in verdict(client, wanted_on=express.isoformat())
    today = timezone.localdate().isoformat()
    assert f">not before {express:%A} {express.day}" in verdict(client, wanted_on=today)
    assert verdict(client) == ""


@pytest.mark.parametrize("entered", ["2026-13-45", "soon", "2001-01-01"])
def test_what_is_no_date_to_come_gets_no_answer_but_an_error_at_its_field(
    client: Client, product: Product, entered: str
) -> None:
    put(client, product)
    assert verdict(client, wanted_on=entered) == ""
