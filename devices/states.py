"""The states of a writer, a write and a disc, with the moves that are allowed between them.

Responsible for the words and the tables only; `lifecycle.py` is the one module that writes a state.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Final

from django.db import models

# Reports come every 15 s at least, so one is missing, then two, then six.
ASK_AFTER: Final = timedelta(seconds=20)  # the agent is called
SUSPECT_AFTER: Final = timedelta(seconds=30)  # nothing new is sent or planned; its state stays
OFFLINE_AFTER: Final = timedelta(seconds=90)


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


class ReadState(models.TextChoices):
    QUEUED = "queued"  # only here
    SENT = "sent"  # whether the agent has it is not known
    ACCEPTED = "accepted"
    READING = "reading"
    DONE = "done"  # its image lies on the writer's disk
    FAILED = "failed"
    CANCELLED = "cancelled"


class RequestState(models.TextChoices):
    OPEN = "open"
    DONE = "done"
    FAILED = "failed"  # the agent will not do it; the reason says why
    DROPPED = "dropped"  # nobody wants it any more


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

READ_MOVES: Final[dict[str, frozenset[str]]] = {
    ReadState.QUEUED: frozenset({ReadState.SENT, ReadState.FAILED, ReadState.CANCELLED}),
    # sent -> queued: the agent refused it for now (the drive is busy), so it has nothing
    ReadState.SENT: frozenset(set(ReadState) - {ReadState.SENT}),
    ReadState.ACCEPTED: frozenset({ReadState.READING, ReadState.DONE, ReadState.FAILED, ReadState.CANCELLED}),
    ReadState.READING: frozenset({ReadState.DONE, ReadState.FAILED, ReadState.CANCELLED}),
    ReadState.DONE: frozenset(),
    ReadState.FAILED: frozenset(),
    ReadState.CANCELLED: frozenset(),
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
READ_AT_AGENT: Final = frozenset({ReadState.SENT, ReadState.ACCEPTED, ReadState.READING})
READ_OPEN: Final = READ_AT_AGENT | {ReadState.QUEUED}
READ_FINAL: Final = frozenset({ReadState.DONE, ReadState.FAILED, ReadState.CANCELLED})
DISC_FINAL: Final = frozenset({DiscState.GOOD, DiscState.BAD, DiscState.UNKNOWN, DiscState.CANCELLED})


class Severity(StrEnum):
    """How bad a reason is, in IPP's words."""

    REPORT = "report"  # good to know
    WARNING = "warning"  # will be an error if nobody looks
    ERROR = "error"  # it does not do what it should


class Keyword(models.TextChoices):
    """Why a writer does not do what it should, or soon will not (IPP's words where it has one)."""

    # Of silence and of calls
    SUSPECT = "suspect"  # nothing was heard of it for 30 s
    TIMED_OUT = "timed-out"  # … for 90 s: it is offline
    CONNECTING = "connecting-to-device"
    TOKEN_REFUSED = "token-refused"  # noqa: S105  (a keyword, no secret)
    WRITER_FAILURE = "writer-failure"
    # Of an agent that is not what it was, or not what this server takes
    JOURNAL_LOST = "journal-lost"
    SECOND_AGENT = "second-agent"
    AGENT_OUTDATED = "agent-outdated"
    UNKNOWN_WORK = "unknown-work"  # it does what this server never asked for: seen after a restore
    CLOCK_SKEW = "clock-skew"
    # Of its drives, printers, blanks and disk
    DRIVES_STOPPED = "drives-stopped"
    STOPPED_PARTLY = "stopped-partly"
    DRIVE_BLOCKED = "drive-blocked"
    DRIVE_SERVICE_DUE = "drive-service-due"
    WAITING_FOR_OPERATOR = "waiting-for-operator"
    MEDIA_EMPTY = "media-empty"
    MEDIA_LOW = "media-low"
    MARKER_SUPPLY_EMPTY = "marker-supply-empty"
    MARKER_SUPPLY_LOW = "marker-supply-low"
    SPOOL_AREA_FULL = "spool-area-full"


# All others are errors.
SEVERITY: Final[Mapping[str, Severity]] = {
    Keyword.SUSPECT: Severity.WARNING,
    Keyword.STOPPED_PARTLY: Severity.WARNING,
    Keyword.DRIVE_BLOCKED: Severity.WARNING,
    Keyword.DRIVE_SERVICE_DUE: Severity.WARNING,
    Keyword.MEDIA_LOW: Severity.WARNING,
    Keyword.MARKER_SUPPLY_LOW: Severity.WARNING,
    Keyword.CLOCK_SKEW: Severity.WARNING,
    Keyword.WAITING_FOR_OPERATOR: Severity.REPORT,
}


def severity(keyword: str) -> Severity:
    return SEVERITY.get(keyword, Severity.ERROR)


# Only an operator's resume ends these: until then each report of the writer is answered 409.
HALTING: Final = frozenset({Keyword.JOURNAL_LOST.value, Keyword.SECOND_AGENT.value})
# Its reports are heard and not taken: what is known of its drives, blanks and disk is old.
DEAF: Final = HALTING | {Keyword.AGENT_OUTDATED.value}
# A writer that is heard is stopped while one of these holds, and only then.
STOPPING: Final = DEAF | {Keyword.DRIVES_STOPPED.value}
# While one of these holds, no new work is sent or planned.
BLOCKING: Final = DEAF | {Keyword.SUSPECT.value, Keyword.TIMED_OUT.value}
# Only a person ends these; what staff is told of.
FOR_A_PERSON: Final = DEAF | {Keyword.TOKEN_REFUSED.value, Keyword.UNKNOWN_WORK.value}
# Reports say these, so that they are known for as long as reports come.
OF_REPORTS: Final = (
    Keyword.SUSPECT.value,
    Keyword.CLOCK_SKEW.value,
    Keyword.DRIVES_STOPPED.value,
    Keyword.STOPPED_PARTLY.value,
    Keyword.DRIVE_BLOCKED.value,
    Keyword.DRIVE_SERVICE_DUE.value,
    Keyword.WAITING_FOR_OPERATOR.value,
    Keyword.MEDIA_EMPTY.value,
    Keyword.MEDIA_LOW.value,
    Keyword.MARKER_SUPPLY_EMPTY.value,
    Keyword.MARKER_SUPPLY_LOW.value,
    Keyword.SPOOL_AREA_FULL.value,
)
# Calls to the agent found these, and the next call that succeeds ends them.
OF_CALLS: Final = (Keyword.CONNECTING, Keyword.TOKEN_REFUSED, Keyword.WRITER_FAILURE)
