from __future__ import annotations

import datetime as dt

import pytest
from django.utils import translation
from pytest_django import DjangoAssertNumQueries, Settings

from fulfillment.models import Job, Shipment
from fulfillment.papers.content import FaceContent, LabelContent, Recipient, SlipContent, SlipLine
from fulfillment.papers.reading import face_contents, label_content, slip_content
from tests.fulfillment.papers import rows

pytestmark = pytest.mark.django_db

PARIS = Recipient("Éloïse Lefèvre", "", ("12 rue de la Paix", "75002 Paris"), "FRANCE")


def filled() -> Shipment:
    shipment = rows.shipment()
    rows.job(shipment, "P-2002", ["0123456789AB"], title="A Short Film", format_="dvd-mini")
    rows.job(shipment, "P-1001", ["ZZZZ2M9XQR3T", "4K7P2M9XQR3T"])
    given_up = rows.job(shipment, "P-3003", [], title="Not in it")
    Job.objects.filter(pk=given_up.pk).update(state=Job.State.CANCELLED)
    rows.title("P-1001", "Marta Lindqvist")
    return shipment


def test_a_label_is_read_from_the_shipment(settings: Settings) -> None:
    settings.SPINDLE_SENDER = "The Shop, Somewhere 1"
    assert label_content(rows.shipment()) == LabelContent(
        "S-4K7P2M9X", "The Shop, Somewhere 1", "Testpost", "Snail", PARIS
    )


def test_the_country_is_named_in_english_whatever_language_is_spoken() -> None:
    with translation.override("de"):
        assert label_content(rows.shipment(country="JP")).recipient.country == "JAPAN"


def test_home_is_the_shop_s_country(settings: Settings) -> None:
    settings.SPINDLE_COUNTRY = "FR"
    assert label_content(rows.shipment()).recipient.country == ""


def test_a_slip_lists_what_is_in_the_parcel_by_part_number() -> None:
    assert slip_content(filled()) == SlipContent(
        shop="Spindle",
        reference="S-4K7P2M9X",
        ordered_on=dt.date(2026, 11, 21),
        service="Testpost · Snail",
        promised_on=dt.date(2026, 11, 26),
        recipient=PARIS,
        lines=(
            SlipLine("P-1001", "Evening Songs", "CD", 2, ("ZZZZ-2M9X-QR3T", "4K7P-2M9X-QR3T")),
            SlipLine("P-2002", "A Short Film", "Mini DVD", 1, ("0123-4567-89AB",)),
        ),
    )


def test_each_disc_has_a_face_in_the_order_of_the_slip() -> None:
    assert face_contents(filled()) == (
        FaceContent("Evening Songs", "Marta Lindqvist", "P-1001", "CD", mini=False, serial="ZZZZ2M9XQR3T"),
        FaceContent("Evening Songs", "Marta Lindqvist", "P-1001", "CD", mini=False, serial="4K7P2M9XQR3T"),
        FaceContent("A Short Film", "", "P-2002", "Mini DVD", mini=True, serial="0123456789AB"),
    )


def test_many_discs_cost_no_more_queries(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    shipment = rows.shipment()
    for number in range(5):
        rows.job(shipment, f"P-{number}", [f"{number:04d}{copy:08d}" for copy in range(20)])
    with django_assert_num_queries(3):
        assert len(face_contents(shipment)) == 100
