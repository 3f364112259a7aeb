"""Queries asked thousands of times: compiled once by Django, then run as they are. Reads only."""

from __future__ import annotations

from typing import Any, Final

from django.db import connection
from django.db.models import QuerySet

AFTER: Final = -4_711
"""Stands in a query for the number given at each call."""


class Asked:
    """A query of `values_list`; rows come as the database gives them, so that keys compare only among such rows."""

    def __init__(self, rows: QuerySet[Any, Any]) -> None:
        self._sql, self._values = rows.query.sql_with_params()

    def rows(self, after: int = 0) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(self._sql, [after if value == AFTER else value for value in self._values])
            return list(cursor.fetchall())
