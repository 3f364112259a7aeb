"""The only package that writes a state: of a writer, a write, a disc, a read, or a request to an agent.

Every move is a compare-and-set with its event in the same transaction; False means that somebody
was first, and the caller stops quietly. Must never call an agent.
"""

from .membership import disable, enable, renew, revoke
from .moves import MoveForbidden
from .reads import mark_read_sent_again, move_read, note_on_read, request_cancel_read
from .requests import end_request, note_on_request, open_drive_order
from .writers import (
    add_reason,
    drain,
    end_reasons,
    halt_second_agent,
    hold_writer,
    lose_journal,
    lose_sight,
    refuse_outdated,
    resume,
    settle_writer,
    start_maintenance,
    suspect,
)
from .writes import (
    drop_write,
    finish_write,
    give_up_planned,
    mark_sent_again,
    move_disc,
    move_write,
    note_on_write,
    request_cancel,
)

__all__ = [
    "MoveForbidden",
    "add_reason",
    "disable",
    "drain",
    "drop_write",
    "enable",
    "end_reasons",
    "end_request",
    "finish_write",
    "give_up_planned",
    "halt_second_agent",
    "hold_writer",
    "lose_journal",
    "lose_sight",
    "mark_read_sent_again",
    "mark_sent_again",
    "move_disc",
    "move_read",
    "move_write",
    "note_on_read",
    "note_on_request",
    "note_on_write",
    "open_drive_order",
    "refuse_outdated",
    "renew",
    "request_cancel",
    "request_cancel_read",
    "resume",
    "revoke",
    "settle_writer",
    "start_maintenance",
    "suspect",
]
