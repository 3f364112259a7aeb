"""The packing slip: A4, a tick box per line, every disc by its serial, as many pages as it takes."""

from __future__ import annotations

from typing import Final

from django.template.loader import render_to_string

from fulfillment.papers.content import SlipContent, SlipLine
from fulfillment.papers.rendering import Pdf, qr, to_pdf

SERIALS_PER_ROW: Final = 5


def render_slip(slip: SlipContent) -> Pdf:
    lines = [{"line": line, "rows": serial_rows(line)} for line in slip.lines]
    context = {"slip": slip, "lines": lines, "qr": qr(slip.reference)}
    return to_pdf(render_to_string("papers/packing-slip.html", context))


def serial_rows(line: SlipLine) -> list[tuple[str, ...]]:
    """The serials in table rows of their own: pages break between rows, however many copies there are."""
    return [line.serials[start : start + SERIALS_PER_ROW] for start in range(0, len(line.serials), SERIALS_PER_ROW)]
