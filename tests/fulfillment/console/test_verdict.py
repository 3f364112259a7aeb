"""How a copy ended, from its discs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.states import DISC_FINAL
from fulfillment.console.verdict import DiscEnd, judge
from fulfillment.models import Copy

S = Copy.State


def discs(*states: str) -> list[DiscEnd]:
    return [DiscEnd(f"4K7P2M9XQR3{number}", state, "d1", "") for number, state in enumerate(states)]


@pytest.mark.parametrize(
    ("states", "cancelled_by", "refusals", "state", "said"),
    [
        (("good", "good"), "", (), S.DONE, "2 discs, each read back and good."),
        (("good",), "user:1 anna", (), S.DONE, "1 disc, each read back and good."),
        (("good", "bad"), "", (), S.FAILED, "1 of 2 discs is good. Bad: 4K7P-2M9X-QR31 in Drive 1."),
        (("bad", "cancelled"), "user:1 anna", (), S.FAILED, "No disc is good. Bad: 4K7P-2M9X-QR30 in Drive 1."),
        (("bad", "unknown"), "", (), S.UNKNOWN, "Nobody knows how far this disc got: 4K7P-2M9X-QR31"),
        (("good", "cancelled"), "user:1 anna", (), S.CANCELLED, "Cancelled. 1 of 2 discs is good."),
        (("cancelled",), "user:1 anna", (), S.CANCELLED, "Cancelled before a disc was begun."),
        (("cancelled",), "", ("serial-used",), S.FAILED, "No disc is good. Refused: serial used. Mend that"),
        (("cancelled",), "", (), S.FAILED, "No disc is good. Its writer gave up the discs"),
    ],
)
def test_the_worst_disc_decides(
    states: tuple[str, ...], cancelled_by: str, refusals: tuple[str, ...], state: str, said: str
) -> None:
    verdict = judge(discs(*states), copies=len(states), refusals=refusals, cancelled_by=cancelled_by)
    assert (verdict.state, verdict.reason[: len(said)]) == (state, said)


@given(st.lists(st.sampled_from(sorted(DISC_FINAL)), min_size=1, max_size=8), st.booleans())
def test_it_is_done_only_with_as_many_good_discs_as_were_wanted_and_always_says_why(
    states: list[str], cancelled: bool
) -> None:
    verdict = judge(discs(*states), copies=len(states), refusals=(), cancelled_by="x" if cancelled else "")
    assert (verdict.state == S.DONE) == (set(states) == {"good"})
    assert verdict.reason
