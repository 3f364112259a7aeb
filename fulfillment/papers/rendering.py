"""Turns the HTML of a paper into a PDF with WeasyPrint, which gets to read nothing but `data:` addresses.

Must never fetch from a disk or a network, and never print a box where a letter should be.
"""

from __future__ import annotations

import logging
import threading
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import segno

if TYPE_CHECKING:
    from weasyprint.document import Document

POINTS_PER_MM: Final = 72 / 25.4
_LETTER_EM: Final = 0.61  # an average letter of DejaVu Sans Bold


class PaperTooFullError(Exception):
    """The text does not fit even at the smallest size: shorten it."""


class GlyphsMissingError(Exception):
    """No font on this machine has a letter of the text: install a font that has it."""


@dataclass(frozen=True, slots=True)
class Pdf:
    content: bytes
    pages: int


def to_pdf(html: str) -> Pdf:
    """Renders one document; equal HTML gives equal bytes. Raises GlyphsMissingError, and on any address but `data:`."""
    document = _laid_out(html)
    with _missing_characters() as missing:
        content = document.write_pdf()
    letters = sorted(character for character in missing if unicodedata.category(character)[0] in "LMN")
    if letters:
        raise GlyphsMissingError(
            f"No font on this machine has {' '.join(letters[:20])} ({_script(letters[0])}): "
            "install one that does (Debian: fonts-wqy-microhei for Chinese, Japanese and Korean, else fonts-noto-core)."
        )
    return Pdf(content=content, pages=len(document.pages))


def page_count(html: str) -> int:
    return len(_laid_out(html).pages)


def largest_fitting(sizes: Sequence[float], fits: Callable[[float], bool], what: str) -> float:
    """The first of `sizes` (falling) that fits, by bisection: what fits at one size fits at each smaller one."""
    if fits(sizes[0]):  # nearly always, and each measurement is a layout
        return sizes[0]
    low, high = 1, len(sizes)
    while low < high:
        middle = (low + high) // 2
        if fits(sizes[middle]):
            high = middle
        else:
            low = middle + 1
    if low == len(sizes):
        raise PaperTooFullError(f"{what} does not fit even at {sizes[-1]} pt: shorten it.")
    return sizes[low]


def size_for_lines(texts: Sequence[str], width: float, least: float) -> float:
    """Points at which each text most likely stands on one line of `width` mm; at `least` long ones wrap."""
    return _size_for(max(map(_ems, texts), default=0), width, least)


def size_for_words(texts: Sequence[str], width: float, least: float) -> float:
    """Points at which each word most likely stands on one line of `width` mm; at `least` long ones break."""
    return _size_for(max((_ems(word) for text in texts for word in _words(text)), default=0), width, least)


def qr(text: str) -> str:
    """A QR code with its quiet zone of four modules, as the address of an SVG."""
    return segno.make_qr(text, error="q").svg_data_uri(border=4, light="#fff")


def _size_for(ems: float, width: float, least: float) -> float:
    return max(least, width * POINTS_PER_MM / max(ems, 1))


def _ems(text: str) -> float:
    return sum(1 if _is_wide(character) else _LETTER_EM for character in text)


def _words(text: str) -> list[str]:
    # Ideographs break anywhere, so they form no long words.
    return "".join(" " if character == "-" or _is_wide(character) else character for character in text).split()


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


def _laid_out(html: str) -> Document:
    # Imported here: it takes a second, and only printing needs it.
    from weasyprint import HTML  # noqa: PLC0415  (takes a second: only where papers are made)
    from weasyprint.urls import URLFetcher  # noqa: PLC0415  (the same)

    fetcher = URLFetcher(allowed_protocols={"data"}, allow_redirects=False, fail_on_errors=True)
    return HTML(string=html, url_fetcher=fetcher).render()


@contextmanager
def _missing_characters() -> Iterator[set[str]]:
    """Collects what WeasyPrint has no glyph for: it says so in its log only."""
    found: set[str] = set()
    thread = threading.get_ident()

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            arguments: Any = record.args
            if record.thread == thread and ".notdef" in str(record.msg) and arguments:
                found.add(arguments[0])

    logger, collector = logging.getLogger("weasyprint"), Collector(logging.WARNING)
    logger.addHandler(collector)
    try:
        yield found
    finally:
        logger.removeHandler(collector)


def _script(character: str) -> str:
    return unicodedata.name(character, f"U+{ord(character):04X}").split()[0].capitalize()
