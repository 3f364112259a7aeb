"""Reads what an operator can choose among, as the values that `fitting` judges. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from devices import resource_file
from devices.resource_file import DriveFile, WriterFile
from devices.states import BLOCKING
from devices.wear import Level
from fulfillment.console.fitting import DriveFacts, UnitFacts
from fulfillment.fleet.rings import person


def with_images(files: Iterable[WriterFile], uuid: str | None, now: datetime) -> WriterFile | None:
    """The chosen writer with all that lies on its disk, which for a whole fleet nobody wants to read."""
    chosen = next((file for file in files if str(file.uuid) == uuid), None)
    return resource_file.of(chosen.pk, now) if chosen else None


def unit_facts(file: WriterFile, copy: str = "") -> UnitFacts:
    """`copy`: the one that asks; what is held for it is free to it."""
    return UnitFacts(
        name=file.name,
        state=file.state,
        enabled=file.enabled,
        draining=bool(file.draining),
        maintenance=bool(file.maintenance),
        suspect=not file.fresh,
        blocking=next((reason.text for reason in file.reasons if reason.keyword in BLOCKING), ""),
        capacity=file.disk_capacity,
        copiers=tuple(drive_facts(drive, copy) for drive in drives_of(file, "copier")),
        blanks=_blanks(file),
    )


def drives_of(file: WriterFile, role: str) -> list[DriveFile]:
    return sorted(
        (drive for drive in file.drives if drive.role == role and not drive.gone), key=lambda drive: drive.ident
    )


def drive_facts(drive: DriveFile, copy: str = "") -> DriveFacts:
    return DriveFacts(
        ident=drive.ident,
        formats=frozenset(drive.formats),
        state=drive.state,
        reasons=drive.reasons,
        held_by=person(drive.held_by) if drive.held_for not in {"", copy} else "",
        blocked=drive.wear_text if drive.wear == Level.BLOCK else "",
        wants=drive.wants,
    )


def _blanks(file: WriterFile) -> dict[str, int]:
    """Blanks per format that nobody has spoken for; a format that can't be counted has no entry."""
    uncounted = {bin_.format for bin_ in file.bins if bin_.remaining is None}
    left: dict[str, int] = {}
    for bin_ in file.bins:
        if bin_.format not in uncounted:
            left[bin_.format] = left.get(bin_.format, 0) + (bin_.remaining or 0) - bin_.reserved
    return {key: max(0, count) for key, count in left.items()}
