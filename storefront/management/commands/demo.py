"""Runs the whole shop on this machine; with --once, orders one title and waits until it is ready to pack."""

from __future__ import annotations

import signal
import sys
import time
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from archive.models import Title
from storefront.demo import catalogue, once
from storefront.demo.customer import DoorShut
from storefront.demo.plant import Plant, Ports, PortTaken
from storefront.demo.processes import Processes, StartFailed

STAFF, PASSWORD = "staff", "disc-disc-disc"


class Stopped(Exception):
    """Ctrl-C, or a polite kill."""


class Command(BaseCommand):
    help = "The whole shop on this machine: web, worker, beat, a payment stand-in, and two writers with pseudo-drives."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="order one title, wait until it is made, and end")
        parser.add_argument("--port", type=int, default=8000, help="the shop's port; the others follow it")
        parser.add_argument("--part-number", default="P-1001", help="with --once: the title to order")
        parser.add_argument("--copies", type=int, default=2, help="with --once: how many discs")

    def handle(self, *args: Any, **options: Any) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _stop)
        processes = Processes(sys.stdout, quiet=options["once"])
        plant = Plant(processes, Ports.after(options["port"]))
        try:
            self._run(plant, options)
        except Stopped:
            self.stdout.write("")
        except (PortTaken, StartFailed, DoorShut, once.StepFailed) as error:
            raise CommandError(str(error)) from error
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave half of them behind
            processes.stop()
        if not options["once"]:
            self.stdout.write("All processes have ended.")

    def _run(self, plant: Plant, options: dict[str, Any]) -> None:
        began = time.monotonic()
        plant.ports.check()
        plant.folder.mkdir(parents=True, exist_ok=True)
        catalogue.sell(plant.folder / "sources")
        _let_staff_in()
        plant.start()
        if options["once"]:
            self.stdout.write(f"{time.monotonic() - began:6.1f} s  the shop is open at {plant.shop_url}")
            once.run(plant, options["part_number"], options["copies"], began, self.stdout.write)
            return
        self._greet(plant, time.monotonic() - began)
        while True:
            plant.processes.check()
            time.sleep(0.5)

    def _greet(self, plant: Plant, seconds: float) -> None:
        titles = Title.objects.filter(products__active=True).distinct().count()
        for line in (
            "",
            f"  Spindle is open ({titles} titles, started in {seconds:.0f} s).",
            "",
            f"  Shop      {plant.shop_url}/",
            f"  Plant     {plant.shop_url}/admin/   login {STAFF}, password {PASSWORD}",
            "  Pay with  4242 4242 4242 4242, any later date, any CVC (4000 0000 0000 0002 is declined)",
            f"  Mail      {plant.folder.parent / 'mail'}",
            f"  Papers    {plant.folder.parent / 'papers'}",
            f"  Discs     {plant.folder / 'writer-*' / 'discs'}",
            "",
            "  Ctrl-C ends it.",
            "",
        ):
            self.stdout.write(line)


def _let_staff_in() -> None:
    """A login that was made before keeps its password."""
    rights = {"is_staff": True, "is_superuser": True, "email": "staff@spindle.example"}
    user, made = User.objects.get_or_create(username=STAFF, defaults=rights)
    if made:
        user.set_password(PASSWORD)
        user.save()


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped
