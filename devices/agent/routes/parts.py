"""What the routes speak to, and what they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Header
from fastapi import Path as InPath

from devices.agent.config import Config
from devices.agent.fetch import Fetcher
from devices.agent.journal import Journal
from devices.agent.press import Press
from devices.agent.problems import MEDIA_TYPE, conflict
from devices.agent.shop import Shop
from devices.agent.state import Mirror
from devices.agent.wire import JOURNAL_HEADER, SHA256_PATTERN, Problem, ProblemType

Digest = Annotated[str, InPath(pattern=SHA256_PATTERN)]
KnownJournal = Annotated[str | None, Header(alias=JOURNAL_HEADER)]


@dataclass(frozen=True, slots=True)
class Parts:
    config: Config
    shop: Shop
    fetcher: Fetcher
    press: Press
    mirror: Mirror


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    content = {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}
    return {status: {"description": "a problem", "content": content} for status in statuses}


def check_journal(journal: Journal, known: str | None) -> None:
    """Does the caller know this very journal? Raises RefusedError (409)."""
    if known is not None and known.strip().lower() != str(journal.journal_id):
        detail = f"This writer's journal is {journal.journal_id}; nothing was accepted."
        raise conflict(ProblemType.OTHER_JOURNAL, detail)
