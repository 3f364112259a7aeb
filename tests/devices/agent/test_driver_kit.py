"""Both shipped drivers are held to the contract by the kit that is shipped for everybody's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from devices.agent.config import STDIO
from devices.agent.drivers.base import READY, Copied, DiscJob, Driver, Readiness, Result, Watch
from devices.agent.drivers.kit import DriverKit
from devices.agent.drivers.virtual import Virtual
from devices.agent.drivers.xorriso import Xorriso
from devices.agent.wire import DiscState, Verified


class FileSources(DriverKit):
    """A file plays the disc in the source drive."""

    def source(self, disc: bytes) -> str:
        (self.folder / "disc.iso").write_bytes(disc)
        return f"{STDIO}{self.folder}/disc.iso"

    def empty_source(self) -> str:
        return f"{STDIO}{self.folder}/nothing.iso"


class TestXorriso(FileSources):
    driver = Xorriso
    speed = "1c"

    def device(self) -> str:
        return f"{STDIO}{self.folder}/discs/{{serial}}.img"

    def content(self, driver: Driver, serial: str) -> bytes:
        return (self.folder / "discs" / f"{serial}.img").read_bytes()


class TestVirtual(FileSources):
    driver = Virtual
    wrong_options: ClassVar = [
        ({"clock": 0}, "driver.options.clock"),
        ({"clock": float("inf")}, "driver.options.clock"),
        ({"clock": "fast"}, "driver.options.clock"),
        ({"store": "discs"}, "driver.options.store"),
        ({"seed": 1.5}, "driver.options.seed"),
        ({"speeds": {"cd": "fast"}}, "driver.options.speeds.cd"),
        ({"speeds": {"vinyl": "1c"}}, "driver.options.speeds.vinyl"),
        ({"load_seconds": -1}, "driver.options.load_seconds"),
        ({"print_seconds": True}, "driver.options.print_seconds"),
        ({"bad": 1.1}, "driver.options.bad"),
        ({"self_verify": "yes"}, "driver.options.self_verify"),
        ({"output": 0}, "driver.options.output"),
        ({"bins": 5}, "driver.options.bins"),
        ({"bins": [{"bin": "a", "kind": "CD-R", "count": -1}]}, "driver.options.bins[0].count"),
        ({"bins": [{"bin": "a", "kind": "CD-X", "count": 1}]}, "driver.options.bins[0].kind"),
        ({"bins": [{"bin": "a", "kind": "CD-R", "count": 2, "capacity": 1}]}, "driver.options.bins[0].count"),
        ({"bins": [{"bin": "a", "kind": "CD-R", "count": 1, "colour": 1}]}, "driver.options.bins[0].colour"),
        ({"bins": [{"bin": "a", "kind": "CD-R", "count": 1}] * 2}, "driver.options.bins[1].bin"),
        ({"bins": [{"bin": "a", "kind": "DVD-R", "count": 1}]}, "driver.options.bins"),
        ({"printer": {"supplies": []}}, "driver.options.printer.supplies"),
        ({"printer": {"per_face": 101}}, "driver.options.printer.per_face"),
    ]

    def options(self) -> Mapping[str, Any]:
        return {
            "clock": 1e9,
            "store": str(self.folder / "store"),
            "bins": [{"bin": "left", "kind": "CD-R", "count": 50}, {"bin": "right", "kind": "CD-R", "count": 50}],
            "printer": {},
        }

    def content(self, driver: Driver, serial: str) -> bytes:
        return (self.folder / "store" / f"{serial}.iso").read_bytes()


class TestVirtualVerifyingByItself(TestVirtual):
    def options(self) -> Mapping[str, Any]:
        return {**super().options(), "self_verify": True, "spoilt": 1.0}


class Liar(Driver):
    """Says that all is well, whatever happens."""

    def examine(self) -> Readiness:
        return READY

    def check(self, job: DiscJob) -> Readiness:
        return READY

    def write(self, job: DiscJob, watch: Watch) -> Result:
        watch.progress(1.0)
        watch.progress(0.5)
        return Result(DiscState.GOOD, verified=Verified.DIGEST)

    def read(self, target: Path, watch: Watch) -> Copied:
        return Copied()


class KitForALiar(FileSources):
    driver = Liar


@pytest.mark.parametrize("name", [name for name in dir(DriverKit) if name.startswith("test_")])
def test_the_kit_sees_a_driver_that_only_says_so(name: str) -> None:
    """What a driver that does nothing can pass is what it does by doing nothing."""
    harmless = {
        "test_a_drive_that_can_write_says_so",
        "test_two_drives_have_two_drivers",
        "test_a_burner_that_is_gone_is_not_waited_for",
        "test_the_tray_can_be_looked_at_and_opened",
        "test_bins_and_printers_are_facts",
    }
    kit = KitForALiar()
    kit.setup_method()
    try:
        if name in harmless:
            getattr(kit, name)()
        else:
            with pytest.raises(AssertionError):
                getattr(kit, name)()
    finally:
        kit.teardown_method()
