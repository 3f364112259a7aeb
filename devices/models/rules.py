"""Database constraints that several models share."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import CheckConstraint, Q


def one_of(field: str, values: Iterable[str], name: str) -> CheckConstraint:
    """The column holds one of these words: a state nobody has thought of can't be stored."""
    return CheckConstraint(condition=Q(**{f"{field}__in": sorted(values)}), name=name)
