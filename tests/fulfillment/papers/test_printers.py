from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from fulfillment.printers import FolderPrinter, UnusableNameError, label_printer


@pytest.fixture
def folder(tmp_path: Path, settings: Settings) -> Path:
    settings.SPINDLE_PAPERS = tmp_path / "papers"
    return tmp_path / "papers"


def test_a_paper_lies_in_its_order_s_folder_for_its_owner_alone(folder: Path) -> None:
    where = Path(FolderPrinter().print("S-4K7P2M9X/address-label", b"%PDF"))
    assert where == folder / "S-4K7P2M9X" / "address-label.pdf"
    assert where.read_bytes() == b"%PDF"
    assert [path.stat().st_mode & 0o777 for path in (where, where.parent, folder)] == [0o600, 0o700, 0o700]


def test_printing_again_replaces_the_paper_and_leaves_nothing_beside_it(folder: Path) -> None:
    FolderPrinter().print("S-1/packing-slip", b"old")
    where = Path(FolderPrinter().print("S-1/packing-slip", b"new"))
    assert where.read_bytes() == b"new"
    assert list(where.parent.iterdir()) == [where]


def test_a_paper_that_cannot_be_put_in_place_leaves_nothing(folder: Path) -> None:
    (folder / "S-1" / "disc-face.pdf").mkdir(parents=True)  # a folder stands where the file should go
    with pytest.raises(OSError, match="disc-face"):
        FolderPrinter().print("S-1/disc-face", b"%PDF")
    assert [path.name for path in (folder / "S-1").iterdir()] == ["disc-face.pdf"]


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "a//b", "", ".x", "a/.b", "a\x00b", "a\n", "å", "a/"])
def test_a_name_that_leads_elsewhere_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(UnusableNameError):
        FolderPrinter().print(name, b"%PDF")
    assert not folder.exists()


def test_the_printer_is_the_one_the_shop_chose(settings: Settings) -> None:
    assert isinstance(label_printer(), FolderPrinter)
    settings.SPINDLE_LABEL_PRINTER = "tests.fulfillment.papers.printers.OutOfPaper"
    assert type(label_printer()).__name__ == "OutOfPaper"
