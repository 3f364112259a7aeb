"""What all moves have in common."""

from __future__ import annotations


class MoveForbidden(Exception):
    """A move that the transition table does not have: a mistake in the program, not in the data."""
