"""The keys of a workload file, their types, bounds and defaults: what one key by itself may be.

What keys mean to each other is `consistency`'s. Must never turn one type into another: a bool is no number.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from fulfillment.simulation.workload import START


def _whole(value: object) -> object:
    """JSON has one kind of number: 100e9 bytes are as whole as 100000000000."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Id = Annotated[str, Field(min_length=1)]
Count = Annotated[int, BeforeValidator(_whole), Field(ge=0)]
Some = Annotated[int, BeforeValidator(_whole), Field(gt=0)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Chance = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]  # at 1 no disc would ever be good


class Entry(BaseModel):
    """Unknown keys are refused: a misspelt one would simulate another plant than was meant."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ImageEntry(Entry):
    id: Id
    bytes: Some
    format: Id


class WriterEntry(Entry):
    id: Id
    drives: Some
    formats: Annotated[list[Id], Field(min_length=1)]
    write_rate: dict[str, Rate]
    verify: bool = True
    verify_rate: dict[str, Rate] = {}
    load_s: Seconds = 15.0
    print_s: Seconds = 0.0
    link_rate: Rate = 50e6
    cache_bytes: Count = 100_000_000_000
    cached: list[Id] = []
    blanks: dict[str, Count] = {}
    bad_disc_probability: Chance = 0.0


class LineEntry(Entry):
    image: Id
    copies: Some


class OrderEntry(Entry):
    id: Id
    at: Seconds
    lines: Annotated[list[LineEntry], Field(min_length=1)]
    due: Seconds | None = None
    priority: Literal["normal", "high"] = "normal"


class RefillEntry(Entry):
    writer: Id
    format: Id
    at: Seconds
    count: Count


class OutageEntry(Entry):
    writer: Id
    begins: Annotated[Seconds, Field(alias="from")]
    ends: Annotated[Seconds, Field(alias="to")]


class NoiseEntry(Entry):
    write_time_sigma: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0


class File(Entry):
    images: list[ImageEntry]
    writers: list[WriterEntry]
    orders: list[OrderEntry]
    zone: Id = "UTC"
    start: Id = START.isoformat()
    refills: list[RefillEntry] = []
    outages: list[OutageEntry] = []
    noise: NoiseEntry = NoiseEntry()


PARTS: Final[dict[str, type[Entry]]] = {
    "": File,
    "images": ImageEntry,
    "writers": WriterEntry,
    "orders": OrderEntry,
    "lines": LineEntry,
    "refills": RefillEntry,
    "outages": OutageEntry,
    "noise": NoiseEntry,
}


def known_keys(part: str) -> list[str]:
    """The keys of an object in the list or under the key `part`, as a file spells them."""
    return [field.alias or name for name, field in PARTS[part].model_fields.items()]
