from __future__ import annotations

import dataclasses
import re

import pytest

from fulfillment.papers.content import Recipient, SlipLine
from fulfillment.papers.slip import render_slip
from tests.fulfillment.papers import reading_pdf
from tests.fulfillment.papers.contents import HOSTILE, LONGEST, REFERENCE, TITLE_OF_200, WIDEST, line, slip


def test_a_slip_says_what_is_in_the_parcel_for_whom_and_by_when() -> None:
    pdf = render_slip(slip(line(1, copies=2), line(2, copies=1, title="A Short Film")))
    printed = " ".join(reading_pdf.text(pdf.content).split())
    for text in (
        "Spindle · Packing slip",
        f"Order {REFERENCE}",
        "20 November 2026",
        "Deutsche Post · Standard",
        "Thursday 26 November",
        "Anna Weber",
        "20357 Hamburg",
        "P-1001 Evening Songs CD 2",
        "4K7P-0001-0000 4K7P-0001-0001",
        "P-1002 A Short Film CD 1",
        "2 lines, 3 discs in this parcel 3",
        "Page 1 of 1",
    ):
        assert text in printed
    assert reading_pdf.page_sizes(pdf.content) == [(210, 297)]


def test_one_disc_is_counted_in_the_singular() -> None:
    assert "1 line, 1 disc in this parcel" in reading_pdf.text(render_slip(slip(line())).content)


def test_a_slip_without_a_promise_shows_none() -> None:
    unpromised = dataclasses.replace(slip(line()), promised_on=None)
    assert "Promised" not in reading_pdf.text(render_slip(unpromised).content)


def test_sixty_lines_paginate_with_head_and_page_numbers() -> None:
    lines = [line(number, copies=1 + number % 3) for number in range(60)]
    pdf = render_slip(slip(*lines))
    pages = reading_pdf.text(pdf.content).split("\f")[:-1]
    assert len(pages) == pdf.pages >= 3
    for number, page in enumerate(pages, 1):
        assert re.search(r"Packed +Part number +Title +Format +Copies", page)
        assert f"Page {number} of {len(pages)}" in page
        assert REFERENCE in page
    assert re.findall(r"\bP-\d{4}", "".join(pages)) == [each.part_number for each in lines]


def test_a_line_is_not_parted_from_its_first_serials() -> None:
    pages = reading_pdf.text(render_slip(slip(*[line(number) for number in range(60)])).content).split("\f")
    assert all(len(re.findall(r"\bP-\d{4}", page)) == len(re.findall(r"4K7P-\d{4}-\d{4}", page)) for page in pages)


@pytest.mark.parametrize("copies", [100, 700])
def test_every_serial_of_many_copies_is_printed_once_and_in_order(copies: int) -> None:
    many = line(copies=copies)
    pdf = render_slip(slip(many, line(2)))
    printed = reading_pdf.text(pdf.content)
    assert tuple(re.findall(r"4K7P-0001-\d{4}", printed)) == many.serials
    assert f"2 lines, {copies + 1} discs in this parcel" in printed


@pytest.mark.parametrize("to", [LONGEST, WIDEST], ids=["longest", "widest"])
def test_the_longest_fields_stay_on_the_paper(to: Recipient) -> None:
    wide = SlipLine("W" * 40, "W" * 200, "Double-layer Blu-ray", 100_000, ("WWWW-WWWW-WWWW",) * 7)
    pdf = render_slip(slip(wide, line(title=TITLE_OF_200), to=to)).content
    printed = reading_pdf.squeezed(pdf)
    assert "".join(TITLE_OF_200.split()) in printed
    assert printed.count("W" * 20) >= 1
    assert all(10 <= word.left < word.right <= 200 for word in reading_pdf.words(pdf))


def test_there_is_a_box_to_tick_beside_every_line() -> None:
    pdf = render_slip(slip(line(1), line(2))).content
    (picture,) = reading_pdf.pictures(pdf)
    for word in reading_pdf.words(pdf):
        if re.fullmatch(r"\bP-\d{4}", word.text):
            left, top, right, bottom = picture.ink(15, word.top - 0.5, 28, word.bottom + 2)
            assert 3.5 < right - left < 5
            assert 3.5 < bottom - top < 5


def test_the_code_is_the_order_number_with_its_quiet_zone() -> None:
    (picture,) = reading_pdf.pictures(render_slip(slip(line())).content)
    assert reading_pdf.shows_code(picture, REFERENCE, within=(155, 5, 200, 42))


def test_hostile_text_is_printed_as_it_stands() -> None:
    injected = Recipient(HOSTILE[0], HOSTILE[1], HOSTILE[2:], "GERMANY")
    lines = [SlipLine(text, text, "CD", 1, ("4K7P-2M9X-QR3T",)) for text in HOSTILE]
    content = dataclasses.replace(slip(*lines, to=injected), shop=HOSTILE[0], service=HOSTILE[2])
    pdf = render_slip(content).content
    printed = reading_pdf.squeezed(pdf)
    assert all(printed.count("".join(text.split())) >= 2 for text in HOSTILE)
    assert reading_pdf.attachments(pdf) == "0 embedded files"
    assert reading_pdf.links(pdf) == []
