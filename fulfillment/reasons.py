"""Why work waits, in words: what it is, and what comes next."""

from __future__ import annotations

from typing import Final

from fulfillment.planning.model import Wait

HELD_BY_HAND: Final = "Held by an operator"  # how the reason of such a job begins
TEXTS: Final[dict[str, str]] = {
    Wait.DRIVE: "Waiting for a free drive. It starts by itself.",
    Wait.IMAGE: "The disc image is being mastered. Writing starts when it is done.",
    Wait.BLANKS: "Waiting for blank discs. The work goes on when they are loaded.",
    Wait.WRITER: "Waiting for a writer of this format. The work goes on when one is back.",
    Wait.ROOM: "Waiting for a writer whose disk can hold the image. The work goes on when there is one.",
    "too-many-bad-discs": "Several discs failed their check. Somebody looks at it before more are written.",
}


def for_customer(keyword: str) -> str:
    """What a customer may read: never an agent's or an operator's own words."""
    return TEXTS.get(keyword, "Somebody of us looks at it before more is written.")


def text(keyword: str) -> str:
    """The sentence for a reason's keyword; an operator's own words are their own sentence."""
    return TEXTS.get(keyword, keyword)
