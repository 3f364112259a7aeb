"""The states of a writer, a write and a disc, with the moves that are allowed between them.

Responsible for the words and the tables only; `lifecycle.py` is the one module that writes a state.
"""

from __future__ import annotations

from typing import Final

from django.db import models


class WriterState(models.TextChoices):
    IDLE = "idle"
    BUSY = "busy"
    STOPPED = "stopped"  # it answers, but takes no work before somebody or something changes
    OFFLINE = "offline"  # nothing was heard of it for 90 s, or ever


class DriveState(models.TextChoices):
    IDLE = "idle"
    BUSY = "busy"
    STOPPED = "stopped"
    OFFLINE = "offline"


class WriteState(models.TextChoices):
    QUEUED = "queued"  # only here; may be given up without asking anybody
    SENT = "sent"  # the call was made or is about to be; whether the agent has it is not known
    ACCEPTED = "accepted"  # the agent has it in its journal
    WRITING = "writing"  # a first disc was started
    DONE = "done"  # every disc is final
    CANCELLED = "cancelled"  # every disc is final, and those not started were given up


class DiscState(models.TextChoices):
    PLANNED = "planned"
    STARTED = "started"  # its blank is spent
    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"  # nobody knows how far it got: to be inspected, never repeated by itself
    CANCELLED = "cancelled"  # never started; no blank was spent


WRITE_MOVES: Final[dict[str, frozenset[str]]] = {
    # queued -> sent: just before the call; queued -> cancelled: given up before anybody knew of it
    WriteState.QUEUED: frozenset({WriteState.SENT, WriteState.CANCELLED}),
    # sent -> queued: the agent refused it for now (image missing, drive reserved), so it has nothing
    WriteState.SENT: frozenset(
        {WriteState.QUEUED, WriteState.ACCEPTED, WriteState.WRITING, WriteState.DONE, WriteState.CANCELLED}
    ),
    WriteState.ACCEPTED: frozenset({WriteState.WRITING, WriteState.DONE, WriteState.CANCELLED}),
    WriteState.WRITING: frozenset({WriteState.DONE, WriteState.CANCELLED}),
    WriteState.DONE: frozenset(),
    WriteState.CANCELLED: frozenset(),
}

DISC_MOVES: Final[dict[str, frozenset[str]]] = {
    # A report may be the first one heard after a disc was started *and* finished.
    DiscState.PLANNED: frozenset(
        {DiscState.STARTED, DiscState.GOOD, DiscState.BAD, DiscState.UNKNOWN, DiscState.CANCELLED}
    ),
    DiscState.STARTED: frozenset({DiscState.GOOD, DiscState.BAD, DiscState.UNKNOWN}),
    DiscState.GOOD: frozenset(),
    DiscState.BAD: frozenset(),
    DiscState.UNKNOWN: frozenset(),
    DiscState.CANCELLED: frozenset(),
}

WRITE_AT_AGENT: Final = frozenset({WriteState.SENT, WriteState.ACCEPTED, WriteState.WRITING})
WRITE_OPEN: Final = WRITE_AT_AGENT | {WriteState.QUEUED}
WRITE_FINAL: Final = frozenset({WriteState.DONE, WriteState.CANCELLED})
DISC_FINAL: Final = frozenset({DiscState.GOOD, DiscState.BAD, DiscState.UNKNOWN, DiscState.CANCELLED})


class Keyword(models.TextChoices):
    """Why a writer does not do what it should (IPP's words where it has one); no suffix means an error."""

    CONNECTING = "connecting-to-device"
    TIMED_OUT = "timed-out"
    TOKEN_REFUSED = "token-refused"  # noqa: S105  (a keyword, no secret)
    WRITER_FAILURE = "writer-failure"
    DRIVES_STOPPED = "drives-stopped"
    STOPPED_PARTLY = "stopped-partly"
    JOURNAL_LOST = "journal-lost"
    SECOND_AGENT = "second-agent"
    AGENT_OUTDATED = "agent-outdated"
    MEDIA_EMPTY = "media-empty"
    SPOOL_AREA_FULL = "spool-area-full"
    UNKNOWN_WORK = "unknown-work"  # it does what this server never asked for: seen after a restore


# Only an operator's resume ends these: until then each report of the writer is answered 409.
HALTING: Final = frozenset({Keyword.JOURNAL_LOST.value, Keyword.SECOND_AGENT.value})
# While one of these holds, nothing is sent to the writer.
BLOCKING: Final = HALTING | {Keyword.AGENT_OUTDATED.value}
# Only a person ends these; what staff is told of.
FOR_A_PERSON: Final = BLOCKING | {Keyword.TOKEN_REFUSED.value, Keyword.UNKNOWN_WORK.value}
# Calls to the agent found these, and the next call that succeeds ends them.
OF_CALLS: Final = (Keyword.CONNECTING, Keyword.TOKEN_REFUSED, Keyword.WRITER_FAILURE)
