"""Compares the payer's books with ours: `payments reconcile`. Ends with 1 while a person must look at something."""

from __future__ import annotations

import argparse
import datetime as dt
import re
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from storefront import reconciling
from storefront.payer import PayerRefused, PayerUnreachable


class Command(BaseCommand):
    help = "Reconcile payments with the payer: mend what a lost webhook or an old backup left, name what remains."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        reconcile = verbs.add_parser("reconcile", help="compare, mend, and print each difference in one line")
        reconcile.add_argument(
            "--since",
            type=_since,
            default="30d",
            metavar="WHEN",
            help="look at what happened since a date (2026-11-01) or so many days (7d) or hours (12h); 30d if left out",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found = left = 0
        try:
            for difference in reconciling.reconcile(options["since"], timezone.now()):
                self.stdout.write(difference.text)
                found += 1
                left += not difference.mended
        except PayerUnreachable as error:
            raise CommandError(f"{error} What was printed is done; run it again when the payer answers.") from error
        except PayerRefused as error:
            raise CommandError(f"The payer refused: {error}") from error
        self.stdout.write(f"{found} differences" + (f", {left} for a person to look at" if left else ""))
        if left:
            sys.exit(1)


def _since(text: str) -> dt.datetime:
    now = timezone.now()
    if match := re.fullmatch(r"([0-9]{1,4})([dh])", text):
        return now - dt.timedelta(**{"days" if match[2] == "d" else "hours": int(match[1])})
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date like 2026-11-01 and no time like 7d or 12h") from None
    return dt.datetime.combine(day, dt.time(), tzinfo=timezone.get_current_timezone())
