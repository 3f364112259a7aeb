"""What the drives of the simulated robot share: bins, output, printer. Kept over restarts in its workspace.

`refill.json` there is a person at the machine: it is read, and removed, whenever somebody looks at the bins:
{"blanks": {"left": 50}, "empty_output": true, "new_supplies": true}. Must never count a blank twice.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Annotated, Any, Final

from pydantic import Field, StrictBool, StrictInt

from devices.agent.config import ConfigError, Drive, Section, read_section
from devices.agent.drivers.robot_options import BinOptions, VirtualOptions
from devices.agent.wire import FORMAT_OF, BlankFact, PrinterFact, SupplyFact

log = logging.getLogger("agent")

STOCK: Final = "robot.json"
REFILL: Final = "refill.json"
REFUSED: Final = "refill.refused.json"
FULL: Final = 100.0
# From a check to its write: far less than a second. What comes later than this does not come.
RESERVED_FOR: Final = 10.0


class Stock(Section):
    """`loads` are the counts that the configuration gave: other ones there are a new load, which begins in full."""

    loads: dict[str, int] = {}
    bins: dict[str, int] = {}
    output: int = 0
    supplies: dict[str, float] = {}


class Refill(Section):
    blanks: dict[str, Annotated[StrictInt, Field(gt=0)]] = {}
    empty_output: StrictBool = False
    new_supplies: StrictBool = False


class Robot:
    def __init__(self, options: VirtualOptions, workspace: Path) -> None:
        self.arm = Lock()
        self.print_head = Lock()
        self._options = options
        self._folder = workspace
        self._lock = Lock()
        self._reserved: dict[str, tuple[str, float]] = {}
        self._stock = self._begin()

    # -- what is told ------------------------------------------------------------------------------------------------

    def blanks(self) -> tuple[BlankFact, ...] | None:
        if not self._options.bins:
            return None
        with self._present() as stock:
            return tuple(
                BlankFact(format=FORMAT_OF[each.kind], kind=each.kind, bin=each.bin, remaining=stock.bins[each.bin])
                for each in self._options.bins
            )

    def printers(self) -> tuple[PrinterFact, ...]:
        printer = self._options.printer
        if printer is None:
            return ()
        with self._present() as stock:
            left = {name: stock.supplies[name] for name in printer.supplies}
        state = "stopped" if self._is_dry(left) else "processing" if self.print_head.locked() else "idle"
        supplies = tuple(SupplyFact(name=name, percent=round(percent, 2)) for name, percent in left.items())
        return (PrinterFact(id=printer.id, state=state, supplies=supplies),)

    def is_full(self) -> bool:
        with self._present() as stock:
            return self._options.output is not None and stock.output >= self._options.output

    def can_print(self) -> bool:
        with self._present() as stock:
            return not self._is_dry(stock.supplies)

    # -- what is spent -----------------------------------------------------------------------------------------------

    def reserve(self, drive: Drive, format_: str) -> BinOptions | None:
        """The bin that the drive's next disc comes from; None where none has a blank that is not spoken for."""
        with self._present() as stock:
            self._reserved.pop(drive.id, None)
            now = monotonic()
            spoken_for = [bin_ for bin_, until in self._reserved.values() if until > now]
            for each in self._bins_for(drive, format_):
                if stock.bins[each.bin] > spoken_for.count(each.bin):
                    self._reserved[drive.id] = (each.bin, now + RESERVED_FOR)
                    return each
        return None

    def take(self, drive: Drive, format_: str) -> bool:
        """A blank leaves its bin for ever; False where there is none."""
        with self._present() as stock:
            reserved, _ = self._reserved.pop(drive.id, ("", 0.0))
            bins = sorted(self._bins_for(drive, format_), key=lambda each: each.bin != reserved)
            taken = next((each.bin for each in bins if stock.bins[each.bin]), None)
            if taken is not None:
                self._keep(stock.model_copy(update={"bins": stock.bins | {taken: stock.bins[taken] - 1}}))
        return taken is not None

    def deliver(self) -> None:
        with self._present() as stock:
            self._keep(stock.model_copy(update={"output": stock.output + 1}))

    def use_supplies(self) -> None:
        """One face."""
        printer = self._options.printer
        if printer is not None:
            with self._present() as stock:
                left = {name: max(0.0, percent - printer.per_face) for name, percent in stock.supplies.items()}
                self._keep(stock.model_copy(update={"supplies": left}))

    # -- inside ------------------------------------------------------------------------------------------------------

    def _bins_for(self, drive: Drive, format_: str) -> list[BinOptions]:
        """In the order in which the drive names their kinds."""
        wanted = [kind for kind in drive.kinds if FORMAT_OF[kind] == format_]
        return sorted(
            (each for each in self._options.bins if each.kind in wanted), key=lambda each: wanted.index(each.kind)
        )

    def _is_dry(self, supplies: dict[str, float]) -> bool:
        printer = self._options.printer
        return printer is not None and any(supplies[name] < max(printer.per_face, 1e-9) for name in printer.supplies)

    @contextmanager
    def _present(self) -> Iterator[Stock]:
        with self._lock:
            self._refill()
            yield self._stock

    def _begin(self) -> Stock:
        """As it was left, with what the configuration has changed since. Raises ConfigError, OSError."""
        file = self._folder / STOCK
        try:
            old = read_section(Stock, _object(file.read_text())) if file.exists() else Stock()
        except (ConfigError, ValueError) as fault:
            raise ConfigError(f"{file}: can't be read ({fault}); remove it, and all bins are as configured") from fault
        loads = {each.bin: each.count for each in self._options.bins}
        kept = {name for name in loads if old.loads.get(name) == loads[name] and name in old.bins}
        bins = {name: old.bins[name] if name in kept else count for name, count in loads.items()}
        printer = self._options.printer
        supplies = {name: old.supplies.get(name, FULL) for name in (printer.supplies if printer else ())}
        stock = Stock(loads=loads, bins=bins, output=old.output, supplies=supplies)
        self._keep(stock)
        return stock

    def _keep(self, stock: Stock) -> None:
        part = self._folder / f"{STOCK}.part"
        with part.open("w") as file:
            file.write(stock.model_dump_json(indent=1))
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._folder / STOCK)
        self._stock = stock

    def _refill(self) -> None:
        """Somebody may stand at the machine."""
        file = self._folder / REFILL
        if not file.exists():
            return
        try:
            refill = read_section(Refill, _object(file.read_text()), REFILL)
            self._keep(self._refilled(refill))
            file.unlink()
            log.info("the robot was refilled: %s", refill.model_dump_json(exclude_defaults=True))
        except (ConfigError, ValueError) as fault:
            log.error("%s is put aside as %s: %s", REFILL, REFUSED, fault)
            file.replace(self._folder / REFUSED)

    def _refilled(self, refill: Refill) -> Stock:
        """Raises ConfigError."""
        bins = dict(self._stock.bins)
        for name, count in refill.blanks.items():
            found = next((each for each in self._options.bins if each.bin == name), None)
            if found is None:
                raise ConfigError(f"{REFILL}.blanks.{name}: there is no such bin; known: {', '.join(bins)}")
            bins[name] += count
            if found.capacity is not None and bins[name] > found.capacity:
                raise ConfigError(f"{REFILL}.blanks.{name}: {bins[name]} blanks don't fit a bin of {found.capacity}")
        supplies = dict.fromkeys(self._stock.supplies, FULL) if refill.new_supplies else self._stock.supplies
        output = 0 if refill.empty_output else self._stock.output
        return self._stock.model_copy(update={"bins": bins, "supplies": supplies, "output": output})


def _object(text: str) -> dict[str, Any]:
    """Raises ValueError."""
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")
    return found
