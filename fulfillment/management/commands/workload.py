"""`manage.py workload`: writes a preset's workload file, for `simulate` to run."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from fulfillment.simulation.presets import PRESETS
from fulfillment.simulation.reading import dump


class Command(BaseCommand):
    help = "Makes a workload file (a plant and its orders) that `simulate` runs; the same seed makes the same file."
    requires_system_checks: list[str] = []  # it needs no database

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--preset", required=True, choices=sorted(PRESETS), help="Which plant and orders.")
        parser.add_argument(
            "--seed", type=int, default=1, help="What its chances are drawn from (default: %(default)s)."
        )
        parser.add_argument("--out", type=Path, metavar="FILE", help="Where to; default: to the standard output.")

    def handle(self, *args: Any, **options: Any) -> None:
        workload = PRESETS[options["preset"]](options["seed"])
        text = dump(workload)
        if options["out"] is None:
            self.stdout.write(text, ending="")
            return
        try:
            options["out"].write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"out: {options['out']} cannot be written: {error.strerror}.") from error
        counts = f"{len(workload.writers)} writers, {len(workload.images)} images, {len(workload.orders):,} orders"
        self.stderr.write(f"{options['out']}: {counts}.")
