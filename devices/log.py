"""Writes a line of the device log. Must be called inside the transaction of what it tells."""

from __future__ import annotations

from datetime import datetime

from devices.models import DeviceEvent, Write


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
