"""The reasons of a writer as plain values: a list of {keyword, text, since}, one entry per keyword.

Pure: a reason appears when its condition starts and goes when it ends, whatever the state is.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

Reasons = list[dict[str, str]]


def with_reason(reasons: Reasons, keyword: str, text: str, now: datetime) -> Reasons:
    """With this reason in it; one that is there already keeps its `since` and takes the new text."""
    found = [reason for reason in reasons if reason["keyword"] == keyword]
    if found:
        return [reason | {"text": text} if reason["keyword"] == keyword else reason for reason in reasons]
    return [*reasons, {"keyword": keyword, "text": text, "since": now.isoformat()}]


def without(reasons: Reasons, keywords: Iterable[str]) -> Reasons:
    gone = set(keywords)
    return [reason for reason in reasons if reason["keyword"] not in gone]
