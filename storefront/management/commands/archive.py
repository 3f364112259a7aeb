"""`manage.py archive`: own content in, and what there is.

Prices are set here, because the archive knows none; all the rest is the archive's.
"""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from archive import storage
from archive.formats import CHOICES, FORMATS, format_bytes, smallest_format
from archive.intake import ArchiveError, add_version, check_facts, find_title
from archive.models import Kind, Title, TitleVersion
from archive.progress import WAITING, Watch, unwatched
from storefront.models import Product
from storefront.pricing import format_amount, parse_amount


class Command(BaseCommand):
    help = "Add titles from folders and disc images, and show what there is."
    requires_system_checks = ()  # they import every page, for a second and thirty megabytes

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="add|show|list")
        add = verbs.add_parser("add", help="make a disc image of a folder, or take one as it is, and sell it")
        add.add_argument("path", type=Path, help="a folder, or an ISO file")
        add.add_argument("--part-number", required=True, help="like P-1001; a known one gets a new version")
        add.add_argument("--title", required=True, help="what customers read")
        add.add_argument("--kind", required=True, help=" or ".join(Kind.values))
        add.add_argument("--who", default="", help="artist, director or maker")
        add.add_argument("--description", default="", help="a paragraph for the title's page")
        add.add_argument("--format", default="", help=", ".join(FORMATS) + "; default: the smallest that fits")
        add.add_argument("--price", default="", help=f"like 9.90, in {settings.SPINDLE_CURRENCY}; absent: not sold")
        show = verbs.add_parser("show", help="a title's versions, images, paths and prices")
        show.add_argument("part_number")
        verbs.add_parser("list", help="all titles")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            {"add": self.add, "show": self.show, "list": self.list}[options["verb"]](options)
        except ArchiveError as error:
            raise CommandError(f"{OPTIONS.get(error.field, error.field)}: {error.text}") from error

    def add(self, options: dict[str, Any]) -> None:
        price = self._price(options["price"])
        facts = check_facts(
            options["part_number"], options["title"], options["kind"], options["who"], options["description"]
        )
        known = Title.objects.filter(part_number=facts.part_number).first()
        before = known.newest if known else None
        with progress(sys.stderr) as watch:
            version = add_version(
                part_number=options["part_number"],
                title=options["title"],
                kind=options["kind"],
                source=options["path"],
                who=options["who"],
                description=options["description"],
                disc_format=options["format"],
                now=timezone.now(),
                watch=watch,
            )
        if before == version:
            self.stdout.write(f"{version}: this content is the newest version already.")
        else:
            self.stdout.write(f"{version}: added.")
        self._set_price(version, options["format"], price)
        self._stop_what_does_not_fit(version)
        self._print_title(version.title)

    def show(self, options: dict[str, Any]) -> None:
        self._print_title(find_title(options["part_number"]))

    def list(self, options: dict[str, Any]) -> None:
        for title in Title.objects.order_by("part_number"):
            newest = title.newest
            number = f"v{newest.number}" if newest else "–"
            self.stdout.write(f"{title.part_number:<16} {number:>4}  {title.kind:<8}  {title.title}")

    def _price(self, text: str) -> int | None:
        if not text:
            return None
        try:
            price = parse_amount(text, settings.SPINDLE_CURRENCY)
        except ValueError as error:
            raise CommandError(f"--price: {error}") from error
        if price == 0:
            raise CommandError("--price: must be more than nothing; leave it out and the title is not sold.")
        return price

    def _set_price(self, version: TitleVersion, disc_format: str, price: int | None) -> None:
        if price is None:
            return
        smallest = smallest_format(version.image.size or 0)
        Product.objects.update_or_create(
            title=version.title,
            format=disc_format or (smallest.key if smallest else ""),
            defaults={"price_minor": price, "active": True},
        )

    def _stop_what_does_not_fit(self, version: TitleVersion) -> None:
        """A new version may have grown out of a format that the title was sold on."""
        outgrown = Product.objects.filter(title=version.title, active=True).exclude(
            format__in=[format_.key for format_ in version.formats]
        )
        for product in outgrown:
            self.stdout.write(f"{product}: not sold any more, because this version doesn't fit.")
        outgrown.update(active=False)

    def _print_title(self, title: Title) -> None:
        who = f" · {title.who}" if title.who else ""
        self.stdout.write(f"{title.part_number}  {title.title}{who} ({title.kind})")
        labels = dict(CHOICES)
        prices = [
            f"{labels[product.format]} {format_amount(product.price_minor, settings.SPINDLE_CURRENCY)}"
            + ("" if product.active else " (not sold now)")
            for product in Product.objects.filter(title=title).order_by("format")
        ]
        self.stdout.write(f"  price    {' · '.join(prices) or 'none: not sold'}")
        for version in title.versions.select_related("image").order_by("-number"):
            self._print_version(version)

    def _print_version(self, version: TitleVersion) -> None:
        image = version.image
        files = "" if version.files is None else f", {version.files} file{'s' * (version.files != 1)}"
        self.stdout.write(f"  v{version.number}       {version.created_at:%Y-%m-%d %H:%M} UTC{files}")
        self.stdout.write(f"  image    {image.state}, {image.layout}, volume {image.volume_name or '–'}")
        if image.sha256 is None or image.size is None:
            return
        self.stdout.write(f"  size     {image.size} bytes ({format_bytes(image.size)}), {image.sectors} sectors")
        self.stdout.write(f"  fits     {', '.join(format_.key for format_ in image.formats) or 'no format'}")
        self.stdout.write(f"  sha256   {image.sha256}")
        gone = "" if storage.has_image(image) else "  (gone: add its source again)"
        self.stdout.write(f"  path     {storage.path_of(image)}{gone}")


# How the archive's fields are called on the command line.
OPTIONS = {
    "source": "path",
    "part_number": "part number",
    "format": "--format",
    "title": "--title",
    "kind": "--kind",
    "who": "--who",
    "description": "--description",
}


@contextmanager
def progress(stream: TextIO) -> Iterator[Watch]:
    """A line on a terminal that says how far it is; nothing where nobody looks."""
    if not stream.isatty():
        yield unwatched
        return
    shown = 0.0

    def watch(stage: str, done: int, total: int) -> None:
        nonlocal shown
        if time.monotonic() - shown < 0.1 and done < total:
            return
        shown = time.monotonic()
        text = "another process is making it" if stage == WAITING else f"{done * 100 // max(total, 1)} %"
        stream.write(f"\r\x1b[K{stage} {text}")
        stream.flush()

    try:
        yield watch
    finally:
        stream.write("\r\x1b[K")
