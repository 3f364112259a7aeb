"""Whether this host's worker or beat lives, as an exit code: for a container's health check."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from storefront.heartbeat import ROLES, SILENT, seconds_since


class Command(BaseCommand):
    help = "Ends with 0 if the worker (or beat) of this host gave a sign of life in the last minute, else with 1."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("role", choices=ROLES)

    def handle(self, *args: Any, **options: Any) -> None:
        seconds = seconds_since(options["role"])
        if seconds is None:
            raise CommandError(f"{options['role']}: no sign of life on this host yet.")
        if seconds > SILENT:
            raise CommandError(f"{options['role']}: no sign of life for {seconds:.0f} s.")
        self.stdout.write(f"{options['role']}: alive {seconds:.0f} s ago")
