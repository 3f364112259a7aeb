from __future__ import annotations

import dataclasses

import pytest

from fulfillment.papers.content import LabelContent, Recipient
from fulfillment.papers.label import render_label
from tests.fulfillment.papers import reading_pdf
from tests.fulfillment.papers.contents import HOSTILE, LONGEST, REAL, REFERENCE, WIDEST, address, label

FOOT = 100.0  # mm from the top: above it the address, below it order number, code and service
EDGE = 4.0  # mm that a label printer may leave blank


def assert_whole(content: LabelContent) -> None:
    """Everything is on one page, inside its edges, and the address doesn't run into the foot."""
    pdf = render_label(content)
    assert reading_pdf.page_sizes(pdf.content) == [(100, 150)]
    assert pdf.pages == 1
    printed = reading_pdf.squeezed(pdf.content)
    to = content.recipient
    for text in (to.name, to.organisation, *to.lines, to.country, content.reference, content.service, content.carrier):
        assert "".join(text.split()) in printed
    for word in reading_pdf.words(pdf.content):
        assert EDGE <= word.left < word.right <= 100 - EDGE, word
        assert EDGE <= word.top < word.bottom <= 150 - EDGE, word
        assert word.bottom <= FOOT or word.top >= FOOT, word


@pytest.mark.parametrize("to", [to for to, _ in REAL.values()], ids=REAL)
def test_real_addresses_print_whole(to: Recipient) -> None:
    assert_whole(label(to))


@pytest.mark.parametrize("to", [LONGEST, WIDEST], ids=["longest", "widest"])
def test_the_longest_fields_print_whole(to: Recipient) -> None:
    assert_whole(label(to, reference="W" * 20, service="W" * 60))


def test_lines_of_a_real_address_do_not_wrap() -> None:
    content = label(REAL["BR"][0])
    lines = reading_pdf.text(render_label(content).content).splitlines()
    assert {"João Guimarães", "Avenida Paulista 1578", "São Paulo - SP", "BRAZIL"} <= {line.strip() for line in lines}


def test_a_short_address_is_printed_larger_than_a_long_one() -> None:
    def height(to: Recipient) -> float:
        words = reading_pdf.words(render_label(label(to)).content)
        return max(word.bottom - word.top for word in words if word.text in to.name)

    assert height(address()) > 8 > height(LONGEST)


def test_home_addresses_bear_no_country() -> None:
    home, abroad = label(address()), label(address(country=("FR", "France")))
    assert "GERMANY" not in reading_pdf.text(render_label(home).content)
    assert "FRANCE" in reading_pdf.text(render_label(abroad).content)


def test_the_code_is_the_order_number_with_its_quiet_zone() -> None:
    (picture,) = reading_pdf.pictures(render_label(label()).content)
    assert reading_pdf.shows_code(picture, REFERENCE, within=(0, FOOT + 3, 37, 148))


def test_hostile_text_is_printed_as_it_stands() -> None:
    injected = Recipient(HOSTILE[0], HOSTILE[1], HOSTILE[2:], "GERMANY")
    content = dataclasses.replace(label(injected, service=HOSTILE[0]), sender=HOSTILE[2], carrier=HOSTILE[1])
    pdf = render_label(content).content
    printed = reading_pdf.squeezed(pdf)
    assert all("".join(text.split()) in printed for text in HOSTILE)
    assert reading_pdf.attachments(pdf) == "0 embedded files"
    assert reading_pdf.links(pdf) == []


def test_the_same_label_is_the_same_bytes() -> None:
    assert render_label(label()) == render_label(label())
