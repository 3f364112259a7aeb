"""Can this writer ever follow a command? Asked at the door, before anything is accepted. Changes nothing."""

from __future__ import annotations

from devices.agent.config import Drive
from devices.agent.press import Press
from devices.agent.problems import conflict, invalid
from devices.agent.store import Store
from devices.agent.wire import Layout, ProblemType, ReadOrder, Role, WriteOrder


def check_write(order: WriteOrder, drives: tuple[Drive, ...], store: Store, press: Press) -> None:
    """Raises RefusedError: 422 naming the field, 409 drive-reserved."""
    serials = [disc.serial for disc in order.discs]
    if len(set(serials)) != len(serials):
        raise invalid("discs", "A serial is there twice; each disc needs its own.")
    copiers = [drive for drive in drives if drive.role is Role.COPIER]
    if order.drive is not None:
        copiers = [_copier(order.drive, drives, press)]
    fitting = [drive for drive in copiers if order.format in drive.formats]
    if not fitting:
        raise invalid("format", f"No drive asked for takes {order.format}.")
    image = store.trusted(order.image)
    if image is not None and not any(image.layout in press.writing[drive.id].driver.layouts for drive in fitting):
        raise invalid("image", f"{order.image} is a {image.layout}, which no drive asked for writes.")
    for disc in order.discs:
        face = store.trusted(disc.face) if disc.face is not None else None
        if face is not None and face.layout is not Layout.FACE:
            raise invalid("discs", f"{disc.face} was announced as {face.layout}, not as a face.")


def check_read(order: ReadOrder, drives: tuple[Drive, ...], press: Press) -> None:
    """Raises RefusedError: 422 naming the field, 409 drive-reserved. (The journal says whether it is being read.)"""
    named = _named(order.drive, drives)
    if named.role is not Role.SOURCE:
        raise invalid("drive", f"Drive {named.id} is no source drive.")
    if press.is_drained(named.id):
        raise conflict(ProblemType.DRIVE_RESERVED, f"Drive {named.id} is drained: resume it, or name another one.")


def _copier(id_: str, drives: tuple[Drive, ...], press: Press) -> Drive:
    named = _named(id_, drives)
    if named.role is Role.SOURCE or press.is_drained(named.id):
        why = "a source drive" if named.role is Role.SOURCE else "drained"
        raise conflict(ProblemType.DRIVE_RESERVED, f"Drive {named.id} is {why}: name another one, or none.")
    return named


def _named(id_: str, drives: tuple[Drive, ...]) -> Drive:
    found = next((drive for drive in drives if drive.id == id_), None)
    if found is None:
        raise invalid("drive", f"This writer has no drive {id_!r}.")
    return found
