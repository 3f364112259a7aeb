"""Asks Linux where a drive's tray is. Moves nothing, and needs no medium; other systems can't tell."""

from __future__ import annotations

import os
import sys
from typing import Final

from devices.agent.drivers.base import Tray

# <linux/cdrom.h>
CDROM_DRIVE_STATUS: Final = 0x5326
CDSL_CURRENT: Final = 2**31 - 1
# 0 no information, 3 not ready: a disc spins up, or the tray moves.
STATUS: Final = {1: Tray.EMPTY, 2: Tray.OPEN, 4: Tray.LOADED}


def look(device: str) -> Tray:
    """The tray of a drive such as /dev/sr0; UNKNOWN where nobody can tell."""
    if sys.platform != "linux":
        return Tray.UNKNOWN
    import fcntl  # noqa: PLC0415 — POSIX alone has it

    try:
        # Without O_NONBLOCK Linux pulls the tray in, and refuses where there is no disc.
        drive = os.open(device, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return Tray.UNKNOWN
    try:
        return tray_of(fcntl.ioctl(drive, CDROM_DRIVE_STATUS, CDSL_CURRENT))
    except OSError:
        return Tray.UNKNOWN
    finally:
        os.close(drive)


def tray_of(status: int) -> Tray:
    return STATUS.get(status, Tray.UNKNOWN)
