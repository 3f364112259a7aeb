"""The log against the rows: every state is the fold of its events, and every move is in its table. Only reads."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from django.db.models import QuerySet

from tests.life.quick import AFTER, Asked


class Fold:
    """Takes the events that came since the last look, in their order.

    `events` gives (id, whose, old, new), `rows` gives (whose, state); `first` is the state before any event.
    `stays`: events that only say something may leave the state as it is.
    """

    def __init__(
        self,
        events: QuerySet[Any, Any],
        rows: QuerySet[Any, Any],
        moves: Mapping[Any, AbstractSet[Any]],
        *,
        first: str = "",
        stays: bool = False,
    ) -> None:
        self._events = Asked(events.filter(pk__gt=AFTER).order_by("pk"))
        self._rows = Asked(rows.order_by())
        self._moves = {str(old): {str(new) for new in news} for old, news in moves.items()}
        self._first, self._stays = first, stays
        self.forget()

    def forget(self) -> None:
        """Begins at the first event again."""
        self._states: dict[Any, str] = {}
        self._seen = 0

    def look(self) -> dict[Any, str]:
        """The state of each row. Raises AssertionError where log, rows and table don't agree."""
        for number, whose, old, new in self._events.rows(self._seen):
            self._seen = number
            before = self._states.get(whose, self._first)
            assert old == before, f"{whose}: an event says {old} → {new}, but it was {before!r}"
            said = self._stays and old == new
            assert said or not old or new in self._moves[old], f"{whose}: {old} → {new} is not in the table"
            self._states[whose] = new
        now = dict(self._rows.rows())
        folded = {whose: self._states.get(whose, self._first) for whose in now}
        assert now == folded, f"rows say {now}, their events {folded}"
        return now
