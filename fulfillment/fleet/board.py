"""The fleet as one picture: how many are how, and which of them an address asks for. Pure: values in, values out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from archive.formats import FORMATS
from devices.states import WriterState
from fulfillment.fleet.cards import Card, takes

SHOWS: Final = {"trouble": "In trouble", "person": "For a person", "offline": "Not heard"}


@dataclass(frozen=True, slots=True)
class Count:
    name: str
    number: int
    of: int | None  # where «3 of 8» says more than «3»
    tone: str


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter: where it leads, and whether it is on."""

    name: str
    number: int
    query: str
    on: bool
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Board:
    cards: tuple[Card, ...]
    counts: tuple[Count, ...]
    chips: tuple[Chip, ...]
    formats: tuple[Chip, ...]
    told: str  # what matters at this moment, to be read aloud
    all: int


def board(cards: Sequence[Card], asked: Mapping[str, str]) -> Board:
    """asked: `show` and `format` of the address; what is not known there shows everything."""
    show, format_ = asked.get("show", ""), asked.get("format", "")
    show, format_ = (show if show in SHOWS else ""), (format_ if format_ in FORMATS else "")
    of_format = [card for card in cards if not format_ or takes(card.file, format_)]
    shown = tuple(card for card in of_format if _is(card, show))
    return Board(
        cards=shown,
        counts=_counts(cards),
        chips=tuple(_chip(of_format, key, show, format_) for key in ("", *SHOWS)),
        formats=_format_chips(cards, show, format_),
        told=" ".join(f"{ask.of(card.file.name)}." for card in cards for ask in card.asks),
        all=len(cards),
    )


def _is(card: Card, show: str) -> bool:
    match show:
        case "trouble":
            return card.in_trouble
        case "person":
            return bool(card.asks)
        case "offline":
            return card.silent
        case _:
            return True


def _counts(cards: Sequence[Card]) -> tuple[Count, ...]:
    drives = [ring for card in cards for ring in card.rings]
    writing = sum(ring.state == "writing" for ring in drives)
    trouble = sum(card.in_trouble for card in cards)
    asks = sum(len(card.asks) for card in cards)
    silent = sum(card.silent for card in cards)
    free = sum(card.state == WriterState.IDLE for card in cards)
    return (
        Count("drives at work", writing, len(drives), ""),
        Count("in trouble", trouble, None, "bad" if trouble else ""),
        Count("wait for a person" if asks != 1 else "waits for a person", asks, None, "watch" if asks else ""),
        Count("not heard", silent, None, "bad" if silent else ""),
        Count("idle", free, len(cards), ""),
    )


def _chip(cards: Sequence[Card], key: str, show: str, format_: str) -> Chip:
    number = sum(_is(card, key) for card in cards)
    return Chip(SHOWS.get(key, "All"), number, _query(key, format_), key == show)


def _format_chips(cards: Sequence[Card], show: str, format_: str) -> tuple[Chip, ...]:
    """One for each format that a drive takes; the one that is on leads back to all."""
    numbers = {key: sum(_is(card, show) and takes(card.file, key) for card in cards) for key in FORMATS}
    taken = [key for key in FORMATS if any(takes(card.file, key) for card in cards)]
    return tuple(
        Chip(FORMATS[key].label, numbers[key], _query(show, "" if key == format_ else key), key == format_)
        for key in taken
    )


def _query(show: str, format_: str) -> str:
    wanted = {name: value for name, value in (("show", show), ("format", format_)) if value}
    return f"?{urlencode(wanted)}" if wanted else "?"
