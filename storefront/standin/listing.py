"""Lists as Stripe gives them: newest first, one page at a time, narrowed by filters."""

from __future__ import annotations

import sqlite3
from typing import Final

from storefront.standin.form import Parameters
from storefront.standin.ledger import Row

Filters = dict[str, str | int | None]

PAGE: Final = (
    " AND created > :gt AND created >= :gte AND created < :lt AND created <= :lte AND (:after IS NULL OR seq < :after)"
    " ORDER BY seq DESC LIMIT :limit + 1"
)
SESSIONS: Final = (
    "SELECT * FROM sessions WHERE (:status IS NULL OR status = :status)"  # noqa: S608  (constants only)
    " AND (:payment_intent IS NULL OR payment_intent = :payment_intent)" + PAGE
)
REFUNDS: Final = (
    "SELECT * FROM refunds WHERE (:charge IS NULL OR charge = :charge)"  # noqa: S608  (constants only)
    " AND (:payment_intent IS NULL OR payment_intent = :payment_intent)" + PAGE
)
EVENTS: Final = (
    "SELECT * FROM events WHERE (:type IS NULL OR type GLOB :type)"  # noqa: S608  (constants only)
    " AND (:pending IS NULL OR (sends_left > 0) = :pending)" + PAGE
)


def page(
    ledger: sqlite3.Connection, asked: Parameters, sql: str, filters: Filters, last: Row | None
) -> tuple[list[Row], bool]:
    """Newest first; the rows of one page and whether there are more."""
    limit = asked.integer("limit", low=1, high=100) or 10
    bounds = _created(asked)
    asked.finish()
    values = filters | bounds | {"limit": limit, "after": last["seq"] if last else None}
    rows = ledger.execute(sql, values).fetchall()
    return rows[:limit], len(rows) > limit


def _created(asked: Parameters) -> dict[str, int]:
    bounds = {"gt": -1, "gte": 0, "lt": 2**60, "lte": 2**60}
    if asked.is_tree("created"):
        section = asked.section("created")
        given = {name: section.integer(name, low=0, high=10**11) for name in bounds}
        section.finish()
        return bounds | {name: value for name, value in given.items() if value is not None}
    exact = asked.integer("created", low=0, high=10**11)
    return bounds if exact is None else bounds | {"gte": exact, "lte": exact}
