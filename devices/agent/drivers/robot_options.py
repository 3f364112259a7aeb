"""[driver.options] of the driver `virtual`, checked: every fault names its key and the remedy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, StrictBool, StrictInt

from devices.agent.config import MOST_BLANKS, STDIO, ConfigError, Drive, Section, Text, read_section
from devices.agent.wire import FORMAT_OF, FORMATS, Feed, Role, Speed

WHERE: Final = "driver.options"
# What such drives do today, where nothing else is said.
SPEEDS: Final = {
    "cd": "48c",
    "cd-mini": "24c",
    "dvd": "16d",
    "dvd-mini": "8d",
    "dvd-dl": "8d",
    "bd": "6b",
    "bd-dl": "6b",
}

Seconds = Annotated[float, Field(strict=True, ge=0, le=86_400, allow_inf_nan=False)]
Chance = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
Count = Annotated[StrictInt, Field(ge=0, le=MOST_BLANKS)]


class BinOptions(Section):
    bin: Text
    kind: str
    count: Count
    capacity: Annotated[StrictInt, Field(gt=0, le=MOST_BLANKS)] | None = None


class PrinterOptions(Section):
    id: Text = "printer"
    supplies: Annotated[tuple[Text, ...], Field(min_length=1)] = ("cyan", "magenta", "yellow", "black")
    per_face: Annotated[float, Field(strict=True, ge=0, le=100, allow_inf_nan=False)] = 0.2


class VirtualOptions(Section):
    store: Text | None = None
    clock: Annotated[float, Field(strict=True, gt=0, le=1e9, allow_inf_nan=False)] = 1.0
    seed: StrictInt = 0
    speeds: dict[str, Speed] = {}
    load_seconds: Seconds = 15.0
    print_seconds: Seconds = 30.0
    bad: Chance = 0.0
    unknown: Chance = 0.0
    drive_failure: Chance = 0.0
    spoilt: Chance = 0.0
    self_verify: StrictBool = False
    output: Annotated[StrictInt, Field(gt=0, le=1_000_000)] | None = None
    bins: tuple[BinOptions, ...] = ()
    printer: PrinterOptions | None = None

    def speed_of(self, format_: str) -> str:
        return self.speeds.get(format_) or SPEEDS[format_]


def read_options(raw: Mapping[str, Any], drives: Sequence[Drive]) -> VirtualOptions:
    """Raises ConfigError."""
    options = read_section(VirtualOptions, raw, WHERE)
    if options.store is not None and not Path(options.store).is_absolute():
        raise ConfigError(
            f"{WHERE}.store: {options.store!r} is relative to nothing; begin with ./ for a folder beside agent.toml"
        )
    for format_ in options.speeds:
        if format_ not in FORMATS:
            raise ConfigError(f"{WHERE}.speeds.{format_}: is not a format; known: {', '.join(FORMATS)}")
    _check_bins(options.bins)
    for drive in drives:
        _check_drive(drive, options)
    return options


def _check_bins(bins: Sequence[BinOptions]) -> None:
    for index, each in enumerate(bins):
        key = f"{WHERE}.bins[{index}]"
        if each.kind not in FORMAT_OF:
            raise ConfigError(f"{key}.kind: {each.kind!r} is not a kind; known: {', '.join(FORMAT_OF)}")
        if each.bin in [other.bin for other in bins[:index]]:
            raise ConfigError(f"{key}.bin: {each.bin!r} is there twice; each bin needs its own name")
        if each.capacity is not None and each.count > each.capacity:
            raise ConfigError(
                f"{key}.count: {each.count} blanks don't fit a bin of {each.capacity}; raise its capacity"
            )


def _check_drive(drive: Drive, options: VirtualOptions) -> None:
    if drive.role is Role.SOURCE:
        if not drive.device.startswith(STDIO):
            raise ConfigError(
                f'driver.drives: the source {drive.id} of the driver virtual reads a file: give device = "stdio:PATH"'
            )
        return
    if not options.bins or drive.feed is Feed.HAND:
        return
    held = {FORMAT_OF[each.kind] for each in options.bins if each.kind in drive.kinds}
    for format_ in drive.formats:
        if format_ not in held:
            raise ConfigError(
                f"{WHERE}.bins: no bin holds a kind of the format {format_} that drive {drive.id} takes; "
                f"add one, or take {drive.kind_of(format_)} out of its kinds"
            )
