"""Makes text from outside fit for the database and the log."""

from __future__ import annotations


def clean(text: str, limit: int) -> str:
    """`text` without control characters, no longer than `limit`; a cut shows as an ellipsis.

    PostgreSQL refuses NUL, and a line break in a log line is somebody else's line.
    """
    printable = "".join(character if character.isprintable() else " " for character in text)
    return printable if len(printable) <= limit else printable[: limit - 1] + "…"
