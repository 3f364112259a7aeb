"""`manage.py archive`: what is added sells when it has a price, and wrong input keeps nothing."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TextIO

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from archive import storage
from archive.models import Image, Title, TitleVersion
from storefront.management.commands.archive import progress
from storefront.models import Product

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def images(settings: Settings, tmp_path: Path) -> Path:
    settings.SPINDLE_IMAGES = tmp_path / "images"
    settings.SPINDLE_CURRENCY = "EUR"
    return tmp_path / "images"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/Léame.txt").write_text("hola")
    (tmp_path / "source/second.txt").write_text("more")
    return tmp_path / "source"


def archive(*words: str | Path) -> str:
    output = io.StringIO()
    call_command("archive", *map(str, words), stdout=output)
    return output.getvalue()


def add(path: Path, *more: str, **changed: str) -> str:
    options = {"part-number": "P-1001", "title": "A title", "kind": "software", **changed}
    return archive("add", path, *(f"--{name}={value}" for name, value in options.items()), *more)


def refused(*words: str | Path) -> str:
    with pytest.raises(CommandError) as error:
        archive(*words)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_folder_is_added_sold_and_shown(folder: Path) -> None:
    said = add(folder, who="Somebody", description="About it", price="9.90")

    product = Product.objects.get()
    assert (product.title.part_number, product.format, product.price_minor, product.active) == (
        "P-1001",
        "cd",
        990,
        True,
    )
    image = Image.objects.get()
    assert said.startswith("P-1001 A title v1: added.\n")
    assert said.endswith(archive("show", "P-1001"))
    for part in (
        "P-1001  A title · Somebody (software)",
        "price    CD €9.90",
        "2 files",
        f"{image.size} bytes",
        f"{image.sectors} sectors",
        "fits     cd, cd-mini, dvd,",
        f"sha256   {image.sha256}",
        f"path     {storage.path_of(image)}\n",
    ):
        assert part in said
    assert storage.path_of(image).is_absolute()


def test_without_a_price_it_is_not_sold(folder: Path) -> None:
    assert "price    none: not sold" in add(folder)
    assert Product.objects.count() == 0


def test_other_content_is_a_new_version_at_a_new_price(folder: Path) -> None:
    add(folder, price="9.90")
    (folder / "news.txt").write_text("new")

    said = add(folder, price="12")

    assert "P-1001 A title v2: added." in said
    assert "  v2 " in said
    assert "  v1 " in said
    assert Product.objects.get().price_minor == 1200


def test_the_same_content_says_so_and_may_change_the_price(folder: Path) -> None:
    add(folder, price="9.90")

    said = add(folder, price="8,50")

    assert said.startswith("P-1001 A title v1: this content is the newest version already.\n")
    assert (TitleVersion.objects.count(), Product.objects.get().price_minor) == (1, 850)


def test_a_wanted_format_is_taken_and_each_has_its_price(folder: Path) -> None:
    add(folder, price="9.90")
    said = add(folder, price="14.90", format="dvd")

    assert "price    CD €9.90 · DVD €14.90" in said


def test_a_version_that_outgrew_a_format_is_not_sold_on_it_any_more(folder: Path) -> None:
    add(folder, price="4.90", format="cd-mini")
    add(folder, price="9.90", format="dvd")
    (folder / "big").touch()
    os.truncate(folder / "big", 250_000_000)

    said = add(folder, price="5.90")

    assert "P-1001 A title on Mini CD: not sold any more, because this version doesn't fit.\n" in said
    assert list(Product.objects.order_by("format").values_list("format", "price_minor", "active")) == [
        ("cd", 590, True),
        ("cd-mini", 490, False),
        ("dvd", 990, True),
    ]


def test_what_is_too_big_for_its_format_names_the_smallest_that_fits(folder: Path, images: Path) -> None:
    (folder / "big").touch()
    os.truncate(folder / "big", 800_000_000)  # sparse

    with pytest.raises(CommandError) as error:
        add(folder, format="cd", price="9.90")

    assert str(error.value) == (
        "--format: the image has 800.1 MB, too much for CD; the smallest that takes it is dvd (DVD)."
    )
    assert (Title.objects.count(), Image.objects.count(), Product.objects.count()) == (0, 0, 0)
    assert not list(images.rglob("*.*"))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"price": "cheap"}, "--price: 'cheap' is not an amount"),
        ({"price": "0"}, "--price: must be more than nothing"),
        ({"price": "9.999"}, "--price: '9.999' has more decimals"),
        ({"part-number": "p 1"}, "part number: 'p 1' is not a part number"),
        ({"title": ""}, "--title: is empty"),
        ({"kind": "book"}, "--kind: 'book' is unknown; use one of software, music, film, data"),
        ({"format": "floppy"}, "--format: 'floppy' is unknown; use one of cd,"),
    ],
)
def test_wrong_options_keep_nothing(folder: Path, changed: dict[str, str], said: str) -> None:
    with pytest.raises(CommandError) as error:
        add(folder, **changed)

    assert str(error.value).startswith(said)
    assert (Title.objects.count(), Image.objects.count(), Product.objects.count()) == (0, 0, 0)


def test_a_path_that_is_not_there_is_named() -> None:
    with pytest.raises(CommandError, match=r"^path: /not/there can't be read: No such file or directory\.$"):
        add(Path("/not/there"))


def test_an_unknown_part_number_says_where_to_look() -> None:
    assert refused("show", "P-9999") == (
        "part number: 'P-9999' is unknown; `manage.py archive list` prints the ones there are."
    )


def test_the_list_has_a_line_per_title(folder: Path) -> None:
    add(folder)
    add(folder, title="Another", **{"part-number": "A-1"})

    assert [line.split() for line in archive("list").splitlines()] == [
        ["A-1", "v1", "software", "Another"],
        ["P-1001", "v1", "software", "A", "title"],
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "shown"), [(Terminal(), True), (io.StringIO(), False)])
def test_progress_is_shown_to_somebody_who_looks(stream: TextIO, shown: bool) -> None:
    with progress(stream) as watch:
        watch("writing", 50, 200)
        watch("writing", 200, 200)

    assert isinstance(stream, io.StringIO)
    assert ("writing 25 %" in stream.getvalue(), "writing 100 %" in stream.getvalue()) == (shown, shown)
