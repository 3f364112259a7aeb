from __future__ import annotations

import dataclasses
import math

import pytest

from archive.formats import FORMATS
from fulfillment.papers.content import FaceContent
from fulfillment.papers.faces import HUB, SHAPES, FaceShape, NoDiscsError, render_faces
from tests.fulfillment.papers import reading_pdf
from tests.fulfillment.papers.contents import HOSTILE, SERIAL, TITLE_OF_200, face
from tests.fulfillment.papers.reading_pdf import PIXELS_PER_MM, WHITE, Picture

EXTREMES = (
    ("Evening Songs", "Marta Lindqvist"),
    (TITLE_OF_200, "The Rotterdam Harbour Orchestra and Choir"),
    ("W" * 200, "M" * 200),
    ("Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft", ""),
    ("Я" * 200, "Московский симфонический оркестр"),
)


def widest(mini: bool, title: str, who: str) -> FaceContent:
    wide = face(title, who, mini=mini)
    return dataclasses.replace(wide, part_number="W" * 40, format=FORMATS["dvd-mini" if mini else "bd-dl"].label)


def chord(radius: float, y: float) -> float:
    return math.sqrt(max(radius**2 - y**2, 0))


def assert_only_the_ring_is_inked(picture: Picture, shape: FaceShape) -> None:
    middle = shape.page / 2
    for number, row in enumerate(picture.rows):
        y = (number + 0.5) / PIXELS_PER_MM - middle
        rim, hub = chord(shape.rim / 2, y) * PIXELS_PER_MM, chord(HUB / 2, y) * PIXELS_PER_MM
        centre = middle * PIXELS_PER_MM
        assert not row[: math.floor(centre - rim)].strip(WHITE), f"ink left of the rim at {y:.1f} mm"
        assert not row[math.ceil(centre + rim) :].strip(WHITE), f"ink right of the rim at {y:.1f} mm"
        on_hub = row[math.floor(centre - hub) : math.ceil(centre + hub)] if hub else b""
        assert not on_hub.strip(WHITE), f"ink on the hub at {y:.1f} mm"


def test_each_disc_has_its_page_in_the_size_of_its_disc() -> None:
    pdf = render_faces([face(), face(mini=True), face()])
    assert reading_pdf.page_sizes(pdf.content) == [(120, 120), (80, 80), (120, 120)]
    assert pdf.pages == 3


def test_a_face_says_title_who_part_number_format_and_serial() -> None:
    words = [word.text for word in reading_pdf.words(render_faces([face()]).content)]
    assert sorted(words) == sorted(["Evening", "Songs", "Marta", "Lindqvist", "P-1001", "CD", "4K7P-2M9X-QR3T"])


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_nothing_is_printed_on_the_hub_or_beyond_the_rim(shape: FaceShape) -> None:
    mini = shape.name == "mini"
    faces = [face(*EXTREMES[0], mini=mini), *(widest(mini, *names) for names in EXTREMES)]
    pdf = render_faces(faces).content
    pages = reading_pdf.pictures(pdf)
    assert len(pages) == len(faces)
    for page in pages:
        assert_only_the_ring_is_inked(page, shape)
    printed = reading_pdf.squeezed(pdf)
    for title, who in EXTREMES:
        assert "".join(title.split()) in printed
        assert "".join(who.split()) in printed


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_every_box_lies_in_the_ring_with_room_for_a_printer_off_centre(shape: FaceShape) -> None:
    middle, safe = shape.page / 2, shape.rim / 2 - 2.5
    boxes = (
        (shape.title_left, shape.title_top, shape.title_width, shape.title_height),
        (shape.side_left, shape.side_top, shape.side_width, shape.side_height),
        (shape.code_left, shape.code_top, shape.code, shape.code),
    )
    for left, top, width, height in boxes:
        corners = [(x - middle, y - middle) for x in (left, left + width) for y in (top, top + height)]
        assert max(math.hypot(*corner) for corner in corners) <= safe
        across = max(0, left - middle, middle - left - width)
        down = max(0, top - middle, middle - top - height)
        assert math.hypot(across, down) >= HUB / 2 + 2.5


@pytest.mark.parametrize("mini", [False, True])
def test_the_code_is_the_bare_serial_with_its_quiet_zone(mini: bool) -> None:
    shape = SHAPES[mini]
    (picture,) = reading_pdf.pictures(render_faces([face(mini=mini)]).content)
    box = (shape.code_left, shape.code_top, shape.code_left + shape.code, shape.code_top + shape.code)
    assert reading_pdf.shows_code(picture, SERIAL, within=box)


def test_copies_of_one_title_have_their_own_serials() -> None:
    serials = ["4K7P2M9XQR3T", "0123456789AB", "ZZZZZZZZZZZZ"]
    pdf = render_faces([dataclasses.replace(face(), serial=serial) for serial in serials]).content
    printed = [word.text for word in reading_pdf.words(pdf)]
    assert [text for text in printed if text.count("-") == 2] == ["4K7P-2M9X-QR3T", "0123-4567-89AB", "ZZZZ-ZZZZ-ZZZZ"]


def test_hostile_text_is_printed_as_it_stands() -> None:
    pdf = render_faces([dataclasses.replace(face(text, text), part_number=text) for text in HOSTILE]).content
    printed = reading_pdf.squeezed(pdf)
    assert all(printed.count("".join(text.split())) == 3 for text in HOSTILE)
    assert reading_pdf.attachments(pdf) == "0 embedded files"
    assert reading_pdf.links(pdf) == []


def test_a_shipment_without_a_disc_has_no_face() -> None:
    with pytest.raises(NoDiscsError, match="allocate"):
        render_faces([])


def test_only_the_mini_formats_are_small() -> None:
    assert [key for key in FORMATS if key.endswith("-mini")] == ["cd-mini", "dvd-mini"]
