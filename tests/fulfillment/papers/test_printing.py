from __future__ import annotations

import datetime as dt
import hashlib
import logging
from pathlib import Path

import pytest
from pytest_django import Settings

from fulfillment.models import Paper
from fulfillment.papers import print_waiting
from fulfillment.papers.printing import PAUSES
from tests.fulfillment.papers import printers, reading_pdf, rows
from tests.fulfillment.papers.rows import NOW

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]
PRINTERS = "tests.fulfillment.papers.printers."


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Settings) -> Path:
    settings.SPINDLE_PAPERS = tmp_path / "papers"
    return tmp_path / "papers"


def waiting_papers() -> list[Paper]:
    shipment = rows.shipment()
    rows.job(shipment, "P-1001", ["4K7P2M9XQR3T", "ZZZZ2M9XQR3T"])
    return rows.papers(shipment)


def states() -> dict[str, str]:
    return dict(Paper.objects.values_list("kind", "state"))


def test_waiting_papers_are_printed_and_say_where_they_are(folder: Path) -> None:
    papers = waiting_papers()
    assert print_waiting(NOW) == 3
    for paper, pages, text in zip(papers, (1, 1, 2), ("FRANCE", "2 discs in this parcel", "Evening"), strict=True):
        paper.refresh_from_db()
        path = folder / "S-4K7P2M9X" / f"{paper.kind}.pdf"
        assert (paper.state, paper.path, paper.pages, paper.printed_at) == ("printed", str(path), pages, NOW)
        assert paper.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert text in reading_pdf.text(path.read_bytes())
        assert (paper.reason, paper.attempts) == ("", 1)


def test_nothing_is_printed_twice() -> None:
    waiting_papers()
    print_waiting(NOW)
    assert print_waiting(NOW + dt.timedelta(days=1)) == 0


def test_a_paper_is_left_until_its_next_try() -> None:
    waiting_papers()
    assert print_waiting(NOW - dt.timedelta(seconds=1)) == 0
    assert set(states().values()) == {"waiting"}


def test_no_more_than_the_limit_are_printed_at_once() -> None:
    waiting_papers()
    assert [print_waiting(NOW, limit=2), print_waiting(NOW, limit=2)] == [2, 1]


def test_a_second_tick_in_the_middle_prints_what_the_first_one_is_not_at(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SPINDLE_LABEL_PRINTER = PRINTERS + "Overtaken"
    monkeypatch.setattr(printers.Overtaken, "printed", [])
    monkeypatch.setattr(printers.Overtaken, "inner", [])
    waiting_papers()
    assert print_waiting(NOW) == 1  # the second tick was first with the others
    assert printers.Overtaken.inner == [2]
    assert len(printers.Overtaken.printed) == 3
    assert Paper.objects.filter(state="printed", attempts=1).count() == 3


def test_a_paper_that_fails_is_tried_again_later_and_the_others_are_printed(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SPINDLE_LABEL_PRINTER = PRINTERS + "OutOfSlips"
    waiting_papers()
    with caplog.at_level(logging.WARNING, "fulfillment.papers"):
        assert print_waiting(NOW) == 2
    slip = Paper.objects.get(kind=Paper.Kind.PACKING_SLIP)
    assert (slip.state, slip.attempts, slip.reason) == ("waiting", 1, "OSError: out of A4")
    assert slip.next_try_at == NOW + dt.timedelta(minutes=1)
    assert caplog.messages == ["paper packing-slip of S-4K7P2M9X: out of A4; next try in 0:01:00"]


def test_the_fifth_failure_is_the_last(settings: Settings) -> None:
    settings.SPINDLE_LABEL_PRINTER = PRINTERS + "OutOfPaper"
    (paper, *others) = waiting_papers()
    Paper.objects.filter(pk__in=[other.pk for other in others]).delete()
    now, pauses = NOW, []
    for _ in range(5):
        assert print_waiting(now) == 0
        paper.refresh_from_db()
        pauses.append(paper.next_try_at - now)
        now = paper.next_try_at
    assert pauses == [*PAUSES, dt.timedelta(0)]
    assert (paper.state, paper.attempts) == ("failed", 5)
    assert paper.reason == "OSError: S-4K7P2M9X/address-label: out of labels"
    settings.SPINDLE_LABEL_PRINTER = "fulfillment.printers.FolderPrinter"
    assert print_waiting(now + dt.timedelta(days=1)) == 0


def test_a_paper_that_ends_the_process_each_time_is_set_aside() -> None:
    (paper, *_) = waiting_papers()
    Paper.objects.filter(pk=paper.pk).update(attempts=len(PAUSES) + 1)  # tries that began and never came back
    assert print_waiting(NOW) == 2
    paper.refresh_from_db()
    assert (paper.state, paper.reason) == ("failed", "Each try ended the whole process.")


def test_a_failed_try_is_forgotten_once_the_paper_is_printed(settings: Settings) -> None:
    settings.SPINDLE_LABEL_PRINTER = PRINTERS + "OutOfSlips"
    waiting_papers()
    print_waiting(NOW)
    settings.SPINDLE_LABEL_PRINTER = "fulfillment.printers.FolderPrinter"
    assert print_waiting(NOW + PAUSES[0]) == 1
    assert Paper.objects.get(kind=Paper.Kind.PACKING_SLIP).reason == ""


def test_a_face_without_discs_says_what_is_missing() -> None:
    shipment = rows.shipment()
    rows.papers(shipment)
    assert print_waiting(NOW) == 2
    face = Paper.objects.get(kind=Paper.Kind.DISC_FACE)
    assert face.state == "waiting"
    assert face.reason.startswith("NoDiscsError: There is no good disc to make a face for")


def test_a_printer_that_does_not_exist_is_the_papers_reason(settings: Settings) -> None:
    settings.SPINDLE_LABEL_PRINTER = "nowhere.Printer"
    waiting_papers()
    assert print_waiting(NOW) == 0
    assert set(Paper.objects.values_list("reason", flat=True)) == {"ModuleNotFoundError: No module named 'nowhere'"}
