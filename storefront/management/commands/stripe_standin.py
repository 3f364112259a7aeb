"""Starts the Stripe stand-in in place of this process: a program with settings and a ledger of its own."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from storefront.standin.config import add_arguments, config_from


class Command(BaseCommand):
    help = "Run a stand-in for Stripe on 127.0.0.1: API, hosted page and signed webhooks, with a ledger of its own."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        add_arguments(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        words = config_from(argparse.Namespace(**options)).words()
        os.chdir(settings.BASE_DIR)  # where the module is found; the ledger's path is absolute by now
        os.execv(sys.executable, [sys.executable, "-m", "storefront.standin", *words])  # noqa: S606  (no shell is meant)
