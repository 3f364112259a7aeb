"""What is to be done at the agents: for each step of a visit, which writes it is for. Words and conditions only."""

from __future__ import annotations

from typing import Final

from django.db.models import Q

from devices.states import WRITE_AT_AGENT, WriteState

GIVE: Final = "devices.give-write"
CANCEL: Final = "devices.cancel-write"
END: Final = "devices.end-write"
LOOK_FOR: Final = "devices.look-for-write"
SETTLE: Final = "devices.settle-write"

ERRANDS: Final[dict[str, Q]] = {
    GIVE: Q(state__in=[WriteState.QUEUED, WriteState.SENT], cancel_requested=False),
    CANCEL: Q(state__in=WRITE_AT_AGENT, cancel_requested=True, cancel_sent_at=None),
    # Final here, yet discs of it wait at the agent.
    END: Q(waits_there=True),
    # Accepted, and the newest report does not name them.
    LOOK_FOR: Q(state__in=WRITE_AT_AGENT, missing_since__isnull=False),
    # For a writer that takes nothing new: what became of a call without an answer.
    SETTLE: Q(state=WriteState.SENT),
}
