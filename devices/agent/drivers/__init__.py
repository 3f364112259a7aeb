"""Drivers: one module per machine's language. Found by name, or by dotted path for one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from devices.agent.config import ConfigError, Drive
from devices.agent.drivers.base import Driver

SHIPPED: Final = {
    "virtual": "devices.agent.drivers.virtual.Virtual",
    "xorriso": "devices.agent.drivers.xorriso.Xorriso",
}


def load_drivers(name: str, drives: Sequence[Drive], workspace: Path, options: Mapping[str, Any]) -> dict[str, Driver]:
    """The drivers of all drives. `name` is a shipped name or a dotted path to a Driver. Raises ConfigError."""
    path = SHIPPED.get(name, name)
    module, dot, attribute = path.rpartition(".")
    if not dot:
        known = ", ".join(sorted(SHIPPED))
        raise ConfigError(f"driver.name: {name!r} is not shipped; use {known} or a dotted path to a class")
    try:
        found = getattr(import_module(module), attribute)
        if not (isinstance(found, type) and issubclass(found, Driver)):
            raise ConfigError(f"driver.name: {name!r} is not a devices.agent.drivers.base.Driver")
        made = dict(found.machine(drives, workspace, options))
        for drive in drives:
            if not isinstance(made.get(drive.id), Driver):
                raise ConfigError(f"driver.name: {name!r} made no driver for the drive {drive.id}; mend its machine()")
        return made
    except (ImportError, AttributeError, TypeError, ValueError) as fault:
        raise ConfigError(f"driver.name: {name!r} can't be loaded: {fault}") from fault
