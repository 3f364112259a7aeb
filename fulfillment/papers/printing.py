"""Prints the papers that wait. Their rows are the queue: a lost or doubled call costs nothing.

Must never run inside a transaction, nor give up a paper without a reason on its row.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
from typing import Final

from fulfillment import lifecycle
from fulfillment.models import Paper, Shipment
from fulfillment.papers.faces import render_faces
from fulfillment.papers.label import render_label
from fulfillment.papers.reading import face_contents, label_content, slip_content
from fulfillment.papers.rendering import Pdf
from fulfillment.papers.slip import render_slip
from fulfillment.printers import LabelPrinter, label_printer

log = logging.getLogger(__name__)

# The pause after each failed try; the one after the last pause is given up.
PAUSES: Final = tuple(dt.timedelta(minutes=minutes) for minutes in (1, 5, 15, 60))

POISON_TRIES: Final = 3  # without a word of how they ended
LEASE: Final = dt.timedelta(minutes=3)  # longer than the task's limit: nobody else begins while one is at it


def print_waiting(now: dt.datetime, limit: int = 20) -> int:
    """Prints up to `limit` papers that are due, and returns how many were printed.

    Must be called outside any transaction: rendering takes seconds. Two at once print different papers.
    """
    waiting = Paper.objects.filter(state=Paper.State.WAITING, next_try_at__lte=now)
    papers = waiting.select_related("shipment__service__carrier").order_by("next_try_at", "pk")[:limit]
    return sum(_try(paper, now) for paper in papers)


def render(kind: Paper.Kind, shipment: Shipment) -> Pdf:
    match kind:
        case Paper.Kind.ADDRESS_LABEL:
            return render_label(label_content(shipment))
        case Paper.Kind.PACKING_SLIP:
            return render_slip(slip_content(shipment))
        case Paper.Kind.DISC_FACE:
            return render_faces(face_contents(shipment))


def _try(paper: Paper, now: dt.datetime) -> bool:
    crashed = paper.attempts >= POISON_TRIES and not paper.reason
    if crashed or paper.attempts > len(PAUSES):
        lifecycle.paper_failed(paper, reason="Each try ended the whole process.", now=now, retry_in=None)
        return False
    if not lifecycle.paper_begun(paper, until=now + LEASE):
        return False  # somebody else is at it
    if Shipment.objects.filter(pk=paper.shipment_id, state=Shipment.State.CANCELLED).exists():
        lifecycle.paper_failed(paper, reason="The shipment was cancelled.", now=now, retry_in=None)
        return False
    try:
        return _print(paper, label_printer(), now)
    except Exception as error:  # whatever went wrong with one paper is noted on it, and the others are printed
        _note_failure(paper, error, now)
        return False


def _print(paper: Paper, printer: LabelPrinter, now: dt.datetime) -> bool:
    pdf = render(Paper.Kind(paper.kind), paper.shipment)
    path = printer.print(f"{paper.shipment.reference}/{paper.kind}", pdf.content)
    digest = hashlib.sha256(pdf.content).hexdigest()
    return lifecycle.paper_printed(paper, path=path, sha256=digest, pages=pdf.pages, now=now)


def _note_failure(paper: Paper, error: Exception, now: dt.datetime) -> None:
    retry_in = PAUSES[paper.attempts - 1] if paper.attempts <= len(PAUSES) else None
    reason = f"{type(error).__name__}: {error}"
    noted = lifecycle.paper_failed(paper, reason=reason, now=now, retry_in=retry_in)
    if noted:
        next_step = f"next try in {retry_in}" if retry_in else "given up"
        log.warning("paper %s of %s: %s; %s", paper.kind, paper.shipment.reference, error, next_step)
