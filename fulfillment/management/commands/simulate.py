"""`manage.py simulate`: runs a workload file with the shop's own planner, policy and eviction. Touches no database."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from fulfillment import choosing
from fulfillment.guarded import Guarded
from fulfillment.planning.policies import BUILT_IN
from fulfillment.simulation.engine import Engine, Event
from fulfillment.simulation.foresight import Foresight
from fulfillment.simulation.reading import WorkloadError, read
from fulfillment.simulation.result import result
from fulfillment.simulation.workload import Workload

NAMES: Final = ", ".join(sorted(BUILT_IN))


class Command(BaseCommand):
    help = "Runs a workload on a virtual clock and says what it came to."
    requires_system_checks = ()  # it needs nothing of the shop, not even its tables

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "workload", type=Path, metavar="WORKLOAD.json", help="`manage.py workload` makes such files"
        )
        parser.add_argument("--policy", required=True, help=f"{NAMES}, or the dotted path of your own")
        parser.add_argument("--seed", type=int, default=0, help="of what is left to chance: noise and bad discs (0)")
        parser.add_argument("--out", type=Path, required=True, metavar="RESULT.json", help="where the result goes")
        parser.add_argument("--events", type=Path, metavar="EVENTS.jsonl", help="where each event goes, one a line")

    def handle(self, *args: Any, **options: Any) -> None:
        workload = _read(options["workload"])
        path = options["policy"]
        try:
            choosing.check(path)
        except choosing.Unusable as error:
            raise CommandError(f"--policy {path}: {error}. Name {NAMES}, or a dotted path.") from error
        with ExitStack() as files:
            out = files.enter_context(_open(options["out"], "--out"))
            told = _nothing
            if options["events"]:
                events = files.enter_context(_open(options["events"], "--events"))

                def told(event: Event) -> None:
                    events.write(json.dumps(event) + "\n")

            policy = Guarded(choosing.load(path), path, _refuse)
            tally = Engine(workload, policy, options["seed"], told, Foresight()).run()
            summary = result(workload, policy.name, options["seed"], tally)
            json.dump(summary, out)
            out.write("\n")
        self._say(workload, summary)

    def _say(self, workload: Workload, summary: dict[str, Any]) -> None:
        made = sum(1 for order in summary["orders"] if order["done"] is not None)
        self.stdout.write(f"{made} of {len(workload.orders)} orders made in {summary['makespan'] / 3600:.2f} h")
        if made:
            hours = {name: value / 3600 for name, value in summary["flow"].items()}
            self.stdout.write(
                f"an order takes {hours['mean']:.3f} h (half of them {hours['p50']:.3f} h, 95 % {hours['p95']:.3f} h)"
            )
        self.stdout.write(
            f"{summary['late_fraction']:.2%} late, {summary['discs']['bad']} bad discs, "
            f"{summary['downloads']} downloads"
        )
        ticks = max(1, summary["ticks"])
        self.stdout.write(f"{summary['ticks']} ticks of {summary['tick_seconds'] / ticks * 1000:.2f} ms")


def _refuse(failure: str) -> str:
    raise CommandError(f"the policy failed: {failure}")


def _nothing(event: Event) -> None:
    pass


def _read(path: Path) -> Workload:
    try:
        return read(path.read_bytes())
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}; name a workload file that can be read.") from error
    except WorkloadError as error:
        raise CommandError(f"{path}:\n{error}") from error


def _open(path: Path, option: str) -> Any:
    try:
        return path.open("w", encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{option} {path}: {error.strerror}; name a file that can be written.") from error
