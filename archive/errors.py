"""The one exception that an intake door shows to a person: a field and what to do about it."""

from __future__ import annotations


class ArchiveError(Exception):
    """What was given can't be archived. `field` names the input, `text` says what is wrong and the remedy."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(f"{field}: {text}")
        self.field = field
        self.text = text


class LeaseLostError(Exception):
    """Another process took this image over; whoever sees this stops quietly and leaves the row alone."""
