"""Writes a line of the device log. Must be called inside the transaction of what it tells."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.db import transaction

from devices.models import DeviceEvent, Write

logger: Final = logging.getLogger(__name__)


def log(
    writer_pk: int,
    kind: str,
    *,
    now: datetime,
    actor: str,
    write: Write | None = None,
    serial: str = "",
    old: str = "",
    new: str = "",
    text: str = "",
) -> None:
    """`old` and `new` are states or keywords; `text` is for people."""
    DeviceEvent.objects.create(
        writer_id=writer_pk,
        kind=kind,
        at=now,
        actor=actor,
        write=write,
        serial=serial,
        old=old,
        new=new,
        text=text,
    )
    _tell(writer_pk, kind, actor=actor, write=write, serial=serial, old=old, new=new, text=text)


def log_queued(writes: Sequence[Write], *, now: datetime, actor: str) -> None:
    """A line for each of these writes, which are new."""
    lines = [
        DeviceEvent(
            writer_id=write.writer_id, kind="write", at=now, actor=actor, write=write, new=write.state, text=str(write)
        )
        for write in writes
    ]
    DeviceEvent.objects.bulk_create(lines)
    for line in lines:
        _tell(line.writer_id, line.kind, actor=actor, write=line.write, serial="", old="", new=line.new, text=line.text)


def _tell(
    writer_pk: int, kind: str, *, actor: str, write: Write | None, serial: str, old: str, new: str, text: str
) -> None:
    about = {"writer": writer_pk, "write": write.uuid if write else "", "order": write.reference if write else ""}
    about |= {"serial": serial, "old": old, "new": new, "reason": text if actor in {"tick", "agent"} else ""}
    # Not before it is so. An operator's own words stay in the database.
    transaction.on_commit(lambda: logger.info("%s %s", kind, new or old, extra=about), robust=True)
