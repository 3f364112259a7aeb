"""The address label: one page of 100 × 150 mm, the recipient as large as the address allows."""

from __future__ import annotations

from typing import Final

from django.template.loader import render_to_string

from fulfillment.papers.content import LabelContent
from fulfillment.papers.rendering import (
    POINTS_PER_MM,
    Pdf,
    largest_fitting,
    page_count,
    qr,
    size_for_lines,
    size_for_words,
    to_pdf,
)

SIZES: Final = (22, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6)  # points
WIDTH: Final = 88  # mm for the address
NUMBER_WIDTH: Final = 55  # mm for the order number
NUMBER_LARGEST: Final = 22  # points
_CAPITAL_EM: Final = 0.8  # capitals and digits of DejaVu Sans Bold; M and W are the widest
_WIDE_EM: Final = 1.11


def render_label(label: LabelContent) -> Pdf:
    """Raises PaperTooFullError if the address does not fit one page in readable letters."""
    context = {
        "label": label,
        "qr": qr(label.reference),
        "number_size": _number_size(label.reference),
    }

    def html(size: float) -> str:
        return render_to_string("papers/address-label.html", {**context, "size": size})

    recipient = label.recipient
    texts = (recipient.name, recipient.organisation, *recipient.lines, recipient.country)
    wanted = min(size_for_lines(texts, WIDTH, least=13), size_for_words(texts, WIDTH, least=10))
    sizes = [size for size in SIZES if size <= wanted]
    return to_pdf(html(largest_fitting(sizes, lambda size: page_count(html(size)) == 1, "The address")))


def _number_size(reference: str) -> float:
    ems = sum(_WIDE_EM if character in "MW" else _CAPITAL_EM for character in reference)
    return round(min(NUMBER_LARGEST, NUMBER_WIDTH * POINTS_PER_MM / ems), 1)
