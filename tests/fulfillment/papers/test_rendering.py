from __future__ import annotations

import logging
import socket

import pytest
from weasyprint.urls import FatalURLFetchingError

from fulfillment.papers.faces import render_faces
from fulfillment.papers.label import render_label
from fulfillment.papers.rendering import GlyphsMissingError, PaperTooFullError, largest_fitting, to_pdf
from fulfillment.papers.slip import render_slip
from tests.fulfillment.papers import reading_pdf
from tests.fulfillment.papers.contents import address, face, label, line, slip


@pytest.mark.parametrize(
    "html",
    [
        "<img src='file:///etc/hostname'>",
        "<link rel=attachment href='file:///etc/hostname'>",
        "<link rel=stylesheet href='file:///etc/hostname'>",
        "<style>@import url(file:///etc/hostname)</style>",
        "<p style='background: url(file:///etc/hostname)'>x",
        "<style>@font-face { font-family: x; src: url(file:///etc/hostname) } p { font-family: x }</style><p>x",
        "<svg><image href='file:///etc/hostname' width='9' height='9'/></svg>",
        "<svg><use href='file:///etc/hostname#x'/></svg>",
    ],
)
def test_no_file_is_ever_read(html: str) -> None:
    try:
        pdf = to_pdf(html)
    except FatalURLFetchingError:
        return
    assert reading_pdf.attachments(pdf.content) == "0 embedded files"
    assert socket.gethostname() not in reading_pdf.text(pdf.content)


def test_nothing_is_fetched_from_the_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        with pytest.raises(FatalURLFetchingError):
            to_pdf(f"<img src='http://127.0.0.1:{server.getsockname()[1]}/'>")
        with pytest.raises(BlockingIOError):
            server.accept()


def test_the_papers_use_no_style_that_is_ignored(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "weasyprint"):
        render_label(label())
        render_slip(slip(line()))
        render_faces([face(), face(mini=True)])
    assert caplog.messages == []


def test_a_letter_without_a_glyph_is_refused_and_named() -> None:
    with pytest.raises(GlyphsMissingError, match=r"No font on this machine has \U00016800 .*install"):
        render_label(label(address(name="Anna \U00016800")))  # Bamum, which no font of Debian's base has


def test_a_picture_without_a_glyph_does_not_hold_a_label_up() -> None:
    assert "Anna" in reading_pdf.text(render_label(label(address(name="Anna \U0001f9d1\U0001fadc"))).content)


@pytest.mark.parametrize("name", ["Łucja Żółkiewska", "Núñez", "Ελένη", "Юлия", "Şükrü", "Đặng", "مرحبا", "გიორგი"])
def test_alphabets_of_the_base_fonts_print(name: str) -> None:
    assert render_label(label(address(name=name))).pages == 1


@pytest.mark.parametrize("fitting", [30, 22, 10, 6])
def test_the_largest_size_that_fits_is_taken(fitting: int) -> None:
    sizes = (22, 15, 10, 8, 6)
    found = largest_fitting(sizes, lambda size: size <= fitting, "It")
    assert found == max(size for size in sizes if size <= fitting)


def test_a_text_that_never_fits_is_refused_with_the_remedy() -> None:
    with pytest.raises(PaperTooFullError, match="The address does not fit even at 6 pt: shorten it"):
        largest_fitting((8, 6), lambda _: False, "The address")
