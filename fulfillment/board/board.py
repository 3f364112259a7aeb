"""The board as one picture: which orders an address asks for, and where its chips lead. Pure: values in, values out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from archive.formats import FORMATS
from fulfillment.board.orders import Order, Standing
from fulfillment.fleet.board import Chip

SHOWS: Final = {
    "late": "Late", "risk": "At risk", "nodate": "No date", "waiting": "Waiting", "writing": "Writing", "held": "Held",
    "ready": "To pack", "packed": "Packed",
}  # fmt: skip
MORE_SHOWS: Final = ("behind", "today")  # those of saved views, without a chip of their own
SORTS: Final = ("format",)
STANDINGS: Final = {"late": Standing.LATE, "risk": Standing.RISK, "nodate": Standing.NO_DATE}
SAVED: Final = (
    ("Late and at risk", {"show": "behind"}),
    ("Held", {"show": "held"}),
    ("To pack today", {"show": "today"}),
    ("By format", {"sort": "format"}),
)
ROWS: Final = 200  # more is no list that anybody reads


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks for. What is not known there shows everything."""

    show: str = ""
    format: str = ""
    q: str = ""
    sort: str = ""
    page: int = 1

    def query(self, **changed: str) -> str:
        """The address of this view with something changed; another view begins at its first page."""
        wanted = {"show": self.show, "format": self.format, "q": self.q, "sort": self.sort} | changed
        return f"?{urlencode({name: value for name, value in wanted.items() if value})}"


@dataclass(frozen=True, slots=True)
class Saved:
    name: str
    query: str
    on: bool


@dataclass(frozen=True, slots=True)
class Board:
    """`rows` are of one page; `before` and `more` say how many there are on the others."""

    rows: tuple[Order, ...]
    chips: tuple[Chip, ...]
    formats: tuple[Chip, ...]
    saved: tuple[Saved, ...]
    found: int
    all: int
    before_query: str
    more: int
    more_query: str
    told: str  # what matters at this moment, to be read aloud


def asked(address: Mapping[str, str]) -> Asked:
    show, format_, sort = (address.get(name, "") for name in ("show", "format", "sort"))
    page = address.get("page", "")
    return Asked(
        show=show if show in SHOWS or show in MORE_SHOWS else "",
        format=format_ if format_ in FORMATS else "",
        q=" ".join(address.get("q", "")[:100].split()),
        sort=sort if sort in SORTS else "",
        page=max(1, int(page)) if page.isascii() and page.isdecimal() and len(page) < 6 else 1,
    )


def board(orders: Sequence[Order], want: Asked, today: dt.date, with_disc: Collection[UUID] = ()) -> Board:
    """orders: most urgent first. with_disc: those that have the disc whose serial is searched for."""
    searched = [order for order in orders if _has(order, want.q, with_disc)]
    of_format = [order for order in searched if not want.format or want.format in order.formats]
    found = [order for order in of_format if _is(order, want.show, today)]
    if want.sort:
        found.sort(key=lambda order: min((list(FORMATS).index(key) for key in order.formats), default=len(FORMATS)))
    first = (want.page - 1) * ROWS
    if first >= len(found):
        first = 0
    more, page = max(0, len(found) - first - ROWS), first // ROWS + 1
    return Board(
        rows=tuple(found[first : first + ROWS]),
        chips=tuple(_chip(of_format, key, want, today) for key in ("", *SHOWS)),
        formats=_format_chips(searched, want, today),
        saved=tuple(_saved(name, view, want) for name, view in SAVED),
        found=len(found),
        all=len(orders),
        before_query=_paged(want, page - 1) if first else "",
        more=more,
        more_query=_paged(want, page + 1) if more else "",
        told=_told(orders),
    )


def _is(order: Order, show: str, today: dt.date) -> bool:
    if show in STANDINGS:
        return order.standing == STANDINGS[show]
    if show == "behind":
        return order.standing in {Standing.LATE, Standing.RISK}
    if show == "today":
        return order.work == "ready" and order.hand_over_by is not None and order.hand_over_by <= today
    return not show or order.work == show


def _has(order: Order, q: str, with_disc: Collection[UUID]) -> bool:
    if not q or order.pk in with_disc:
        return True
    wanted = q.casefold()
    return any(wanted in text.casefold() for text in (order.reference, order.town, order.name, *order.titles))


def _chip(orders: Sequence[Order], key: str, want: Asked, today: dt.date) -> Chip:
    number = sum(_is(order, key, today) for order in orders)
    tone = {"late": "bad", "risk": "watch"}.get(key, "") if number else ""
    return Chip(SHOWS.get(key, "All"), number, want.query(show=key), key == want.show, tone)


def _format_chips(orders: Sequence[Order], want: Asked, today: dt.date) -> tuple[Chip, ...]:
    """One for each format that is asked for; the one that is on leads back to all."""
    taken = [key for key in FORMATS if key == want.format or any(key in order.formats for order in orders)]
    return tuple(
        Chip(
            FORMATS[key].label,
            sum(key in order.formats and _is(order, want.show, today) for order in orders),
            want.query(format="" if key == want.format else key),
            key == want.format,
        )
        for key in taken
    )


def _saved(name: str, view: Mapping[str, str], want: Asked) -> Saved:
    on = not want.q and not want.format and {"show": want.show, "sort": want.sort} == {"show": "", "sort": "", **view}
    return Saved(name, f"?{urlencode(view)}", on)


def _paged(want: Asked, page: int) -> str:
    query = want.query()
    if page < 2:
        return query
    return f"{query}{'' if query == '?' else '&'}page={page}"


def _told(orders: Sequence[Order]) -> str:
    late = sum(order.standing == Standing.LATE for order in orders)
    risk = sum(order.standing == Standing.RISK for order in orders)
    return f"{late} late, {risk} at risk." if late or risk else ""
