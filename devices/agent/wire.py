"""The messages between server and agent (protocol 1): the source of truth for both sides.

Responsible for shapes and keywords only. Must never import anything of ours, nor know how a message
is carried or what is done about it.
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

PROTOCOL: Final = 1
JOURNAL_HEADER: Final = "Spindle-Journal"
ORDER_HEADER: Final = "Spindle-Order"  # whose write it is; for the agent's log alone
REQUEST_HEADER: Final = "X-Request-ID"  # what the caller's log names this call by
SECTOR: Final = 2048

# Formats are what is sold and planned; kinds are what a drive takes and a bin holds.
KINDS: Final[dict[str, tuple[str, ...]]] = {
    "cd": ("CD-R", "CD-RW"),
    "cd-mini": ("CD-R mini", "CD-RW mini"),
    "dvd": ("DVD-R", "DVD+R", "DVD-RW", "DVD+RW", "DVD-RAM"),
    "dvd-mini": ("DVD-R mini", "DVD+R mini", "DVD-RW mini", "DVD+RW mini"),
    "dvd-dl": ("DVD+R DL", "DVD-R DL"),
    "bd": ("BD-R", "BD-RE"),
    "bd-dl": ("BD-R DL", "BD-RE DL"),
}
FORMATS: Final = tuple(KINDS)
FORMAT_OF: Final = {kind: format_ for format_, kinds in KINDS.items() for kind in kinds}

SHA256_PATTERN: Final = r"^[0-9a-f]{64}$"
SERIAL_PATTERN: Final = r"^[0-9A-Z-]{1,32}$"
IS_SHA256: Final = re.compile(SHA256_PATTERN)

Sha256 = Annotated[str, StringConstraints(pattern=SHA256_PATTERN)]
Serial = Annotated[str, StringConstraints(pattern=SERIAL_PATTERN)]


def _more_than_zero(speed: str) -> str:
    """A rate is divided by."""
    if float(speed.rstrip("cdb")) == 0:
        raise PydanticCustomError("no_speed", "'{speed}' is no speed: it has to be more than 0", {"speed": speed[:20]})
    return speed


Speed = Annotated[
    str, StringConstraints(pattern=r"^[0-9]{1,3}(\.[0-9]+)?[cdb]?$"), AfterValidator(_more_than_zero)
]  # as xorriso takes it: a CD's, a DVD's (bare numbers too) or a BD's multiple
Bytes = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]


class Layout(StrEnum):
    ISO = "iso"
    AUDIO = "audio"
    FACE = "face"


class Role(StrEnum):
    COPIER = "copier"
    SOURCE = "source"


class Feed(StrEnum):
    ROBOT = "robot"
    HAND = "hand"


class DriveState(StrEnum):
    IDLE = "idle"
    BUSY = "busy"
    STOPPED = "stopped"
    OFFLINE = "offline"


class ImageState(StrEnum):
    RECEIVING = "receiving"
    READY = "ready"
    FAILED = "failed"


class WriteState(StrEnum):
    ACCEPTED = "accepted"
    WRITING = "writing"
    DONE = "done"
    CANCELLED = "cancelled"


class DiscState(StrEnum):
    PLANNED = "planned"
    STARTED = "started"
    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"


class Verified(StrEnum):
    DIGEST = "digest"
    OFFSET = "offset"
    MACHINE = "machine"
    NONE = "none"


class Blame(StrEnum):
    MEDIUM = "medium"
    DRIVE = "drive"
    JOB = "job"


class DriveVerb(StrEnum):
    """An operator's word to a drive: the last part of `POST /v1/drives/{id}/…`."""

    DRAIN = "drain"
    RESUME = "resume"
    EJECT = "eject"
    LOADED = "loaded"  # a person has put a blank in
    TAKEN_OUT = "taken-out"  # a person has taken the disc out and marked it


class ProblemType(StrEnum):
    """The `type` keyword of an `application/problem+json` answer."""

    UNAUTHORIZED = "unauthorized"
    NOT_FOUND = "not-found"
    INVALID = "invalid"
    SPOOL_AREA_FULL = "spool-area-full"
    IMAGE_IN_USE = "image-in-use"
    DIFFERENT_BODY = "different-body"
    SERIAL_USED = "serial-used"
    CANCELLED = "cancelled"
    IMAGE_MISSING = "image-missing"
    FACE_MISSING = "face-missing"
    DRIVE_RESERVED = "drive-reserved"
    OTHER_JOURNAL = "other-journal"
    # The server's own, in answers to reports:
    JOURNAL_LOST = "journal-lost"
    SECOND_AGENT = "second-agent"


class Command(BaseModel):
    """What the server asks for: unknown keys are refused, because a misread command costs a disc."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Fact(BaseModel):
    """What an agent says: unknown keys are passed over, because a newer agent may say more."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class ImageOrder(Command):
    """Body of `PUT /v1/images/{sha256}`."""

    layout: Layout
    size: Annotated[int, Field(gt=0)]
    name: Annotated[str, StringConstraints(min_length=1, max_length=255)]


class DiscOrder(Command):
    serial: Serial
    face: Sha256 | None = None


class WriteOrder(Command):
    """Body of `PUT /v1/writes/{uuid}`: one image, once per disc."""

    image: Sha256
    format: Literal["cd", "cd-mini", "dvd", "dvd-mini", "dvd-dl", "bd", "bd-dl"]
    discs: Annotated[tuple[DiscOrder, ...], Field(min_length=1, max_length=1000)]
    drive: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    verify: bool = True
    speed: Speed | None = None


class ReadOrder(Command):
    drive: Annotated[str, StringConstraints(min_length=1, max_length=64)]


class DriveWord(Command):
    """Body of `POST /v1/drives/{id}/…`, which may be left out: of which disc the word is.

    Said again about a disc that is no longer in the drive, it changes nothing.
    """

    serial: Serial | None = None


class EnrolOrder(Command):
    """Body of `POST {server}/api/v1/writers/enrol`: an agent wants to be a writer of this server."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    name: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    address: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    kind: Annotated[str, StringConstraints(min_length=1, max_length=64)]


class EnrolAnswer(Fact):
    """What the agent is to keep: who it is, what it reports with, and what those present that command it."""

    writer: UUID
    report_token: str
    command_token_sha256: Sha256


class About(Fact):
    """What an agent tells anybody: its TXT record, and part of its 401 where it advertises itself."""

    writer: UUID | None = None
    name: str
    kind: str
    disks: Count
    sources: Count
    copiers: Count


class Problem(Fact):
    type: str
    title: str
    detail: str = ""
    field: str | None = None
    agent: About | None = None


class ImageAnswer(Fact):
    state: ImageState
    received: Bytes
    reason: str | None = None


class DiscResult(Fact):
    serial: Serial
    state: DiscState
    drive: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    verified: Verified = Verified.NONE
    blame: Blame | None = None
    reason: str | None = None
    spoilt: Count = 0


class WriteAnswer(Fact):
    """Answer to `PUT` and `GET /v1/writes/{uuid}`, and a line of the state's `writes`."""

    uuid: UUID
    state: WriteState
    discs: tuple[DiscResult, ...]


class ReadAnswer(Fact):
    uuid: UUID
    state: WriteState
    drive: str
    sha256: Sha256 | None = None
    layout: Layout | None = None
    size: Bytes | None = None
    reason: str | None = None


class DriveFact(Fact):
    id: str
    role: Role
    feed: Feed
    formats: tuple[str, ...]
    kinds: tuple[str, ...]
    state: DriveState
    wants: Literal["blank", "take-out"] | None = None
    reasons: tuple[str, ...] = ()
    progress: Annotated[float, Field(ge=0, le=1)] | None = None
    serial: Serial | None = None


class SupplyFact(Fact):
    name: str
    percent: Annotated[float, Field(ge=0, le=100)] | None = None


class PrinterFact(Fact):
    id: str
    state: str
    supplies: tuple[SupplyFact, ...] = ()


class BlankFact(Fact):
    """Blanks of one bin. `remaining` is null where the machine can't count them."""

    format: str
    kind: str
    bin: str
    remaining: Count | None = None


class DiskFact(Fact):
    capacity: Bytes
    free: Bytes


class ImageFact(Fact):
    sha256: Sha256
    layout: Layout
    size: Bytes
    state: ImageState
    used_at: datetime | None = None


class State(Fact):
    """The whole state of a writer: level-triggered, so one report replaces all earlier ones."""

    protocol: int
    writer: UUID
    name: str
    kind: str
    software: str
    journal_id: UUID
    boot_id: UUID
    sequence: Count
    time: datetime
    drives: tuple[DriveFact, ...]
    printers: tuple[PrinterFact, ...] = ()
    blanks: tuple[BlankFact, ...] = ()
    disk: DiskFact
    images: tuple[ImageFact, ...] | None = None
    images_digest: str
    writes: tuple[WriteAnswer, ...] = ()
    reads: tuple[ReadAnswer, ...] = ()


class ReportAnswer(Fact):
    """The server's answer to a report: the only acknowledgement of final results."""

    recorded: tuple[UUID, ...] = ()
    want: tuple[Literal["images"], ...] = ()
    command_token_sha256: Sha256 | None = None
    report_token: str | None = None
