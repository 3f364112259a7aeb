"""Drivers: one module per machine's language. Found by name, or by dotted path for one's own."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Final

from devices.agent.config import ConfigError, Drive
from devices.agent.drivers.base import Driver

SHIPPED: Final = {"xorriso": "devices.agent.drivers.xorriso.Xorriso"}


def load_driver(name: str, drive: Drive, workspace: Path) -> Driver:
    """The driver of one drive. `name` is a shipped name or a dotted path to a class like Driver."""
    path = SHIPPED.get(name, name)
    module, dot, attribute = path.rpartition(".")
    if not dot:
        known = ", ".join(sorted(SHIPPED))
        raise ConfigError(f"driver.name: {name!r} is not shipped; use {known} or a dotted path to a class")
    try:
        made = getattr(import_module(module), attribute)(drive, workspace)
    except (ImportError, AttributeError, TypeError, ValueError) as fault:
        raise ConfigError(f"driver.name: {name!r} can't be loaded: {fault}") from fault
    if not isinstance(made, Driver):
        raise ConfigError(f"driver.name: {name!r} is not a devices.agent.drivers.base.Driver")
    return made
