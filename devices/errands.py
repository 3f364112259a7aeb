"""What is to be done at the agents, step by step in the order of a visit: for which rows, and at which writers.

Words and conditions only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any, Final

from django.db.models import Model, Q, QuerySet

from devices.models import DriveOrder, ImageRequest, Read, Write, Writer
from devices.states import READ_AT_AGENT, WRITE_AT_AGENT, ReadState, RequestState, WriteState

GIVE: Final = "devices.give-write"
CANCEL: Final = "devices.cancel-write"
END: Final = "devices.end-write"
LOOK_FOR: Final = "devices.look-for-write"
SETTLE: Final = "devices.settle-write"
GIVE_READ: Final = "devices.give-read"
CANCEL_READ: Final = "devices.cancel-read"
LOOK_FOR_READ: Final = "devices.look-for-read"
SETTLE_READ: Final = "devices.settle-read"
FETCH: Final = "devices.fetch-image"
PURGE: Final = "devices.purge-image"
ORDER_DRIVE: Final = "devices.order-drive"


class At(Enum):
    """At which writers."""

    ALL = auto()
    WORKING = auto()  # those that take new work
    NOT_WORKING = auto()


@dataclass(frozen=True, slots=True)
class Errand:
    """rests: a row waits for its `retry_at`."""

    model: type[Model]
    rows: Q
    at: At = At.ALL
    rests: bool = False

    @property
    def all_rows(self) -> QuerySet[Any]:
        return self.model._default_manager.filter(self.rows)

    def ready(self, now: datetime) -> QuerySet[Any]:
        return self.all_rows.filter(Q(retry_at=None) | Q(retry_at__lte=now)) if self.rests else self.all_rows


_OPEN: Final = Q(state=RequestState.OPEN)

ERRANDS: Final[dict[str, Errand]] = {
    CANCEL: Errand(Write, Q(state__in=WRITE_AT_AGENT, cancel_requested=True, cancel_sent_at=None)),
    CANCEL_READ: Errand(Read, Q(state__in=READ_AT_AGENT, cancel_requested=True, cancel_sent_at=None)),
    # Final here, yet discs of it wait at the agent.
    END: Errand(Write, Q(waits_there=True)),
    # Accepted, and the newest report does not name them.
    LOOK_FOR: Errand(Write, Q(state__in=WRITE_AT_AGENT, missing_since__isnull=False)),
    LOOK_FOR_READ: Errand(Read, Q(state__in=READ_AT_AGENT, missing_since__isnull=False)),
    # An operator's words and what makes room come first: they let the rest go on.
    ORDER_DRIVE: Errand(DriveOrder, _OPEN, rests=True),
    PURGE: Errand(ImageRequest, _OPEN & Q(wish=ImageRequest.Wish.DROP), rests=True),
    GIVE: Errand(
        Write, Q(state__in=[WriteState.QUEUED, WriteState.SENT], cancel_requested=False), At.WORKING, rests=True
    ),
    GIVE_READ: Errand(
        Read, Q(state__in=[ReadState.QUEUED, ReadState.SENT], cancel_requested=False), At.WORKING, rests=True
    ),
    FETCH: Errand(ImageRequest, _OPEN & Q(wish=ImageRequest.Wish.HAVE), At.WORKING, rests=True),
    # What became of a call without an answer.
    SETTLE: Errand(Write, Q(state=WriteState.SENT), At.NOT_WORKING),
    SETTLE_READ: Errand(Read, Q(state=ReadState.SENT), At.NOT_WORKING),
}


def wake(writer: Writer, causes: Iterable[str]) -> bool:
    """What rests for one of these causes (keywords that its reason begins with) may be tried now.

    Whether anything new for this writer waits for a visit, then.
    """
    for_these = Q()
    for cause in causes:
        for_these |= Q(reason__startswith=f"{cause}:")
    given = [errand.all_rows.filter(writer=writer) for errand in ERRANDS.values() if errand.at is At.WORKING]
    if for_these:
        for rows in given:
            rows.filter(for_these, retry_at__isnull=False).update(retry_at=None)
    return any(rows.filter(retry_at=None).exists() for rows in given)
