"""docs/drivers.md: its example is run as it stands, and its tables leave nothing out."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.agent.config import read_config
from devices.agent.drivers import SHIPPED, load_drivers
from devices.agent.drivers.robot import Refill
from devices.agent.drivers.robot_options import BinOptions, PrinterOptions, VirtualOptions
from devices.agent.wire import KINDS
from tests.devices.agent.plant import ROOT

PAGE = (ROOT / "docs" / "drivers.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
MODULES = ("folder_copier", "test_folder_copier")


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The page's files in a folder where Python finds them."""
    for module, text in zip(MODULES, (text for language, text in BLOCKS if language == "python"), strict=True):
        (tmp_path / f"{module}.py").write_text(text)
    (toml,) = (text for language, text in BLOCKS if language == "toml")
    (tmp_path / "agent.toml").write_text(toml)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for module in MODULES:
        sys.modules.pop(module, None)


def test_the_page_s_driver_passes_the_kit_as_the_page_says(beside: Path) -> None:
    assert importlib.import_module("test_folder_copier").TestFolderCopier.run() > 10


def test_the_page_s_agent_toml_loads_the_page_s_driver(beside: Path) -> None:
    config = read_config(beside / "agent.toml")
    workspace = beside / "workspace"
    workspace.mkdir()
    (driver,) = load_drivers(config.driver, config.drives, workspace, config.options).values()
    driver.examine()
    assert type(driver).__name__ == "FolderCopier"
    assert (beside / "discs").is_dir()


@pytest.mark.parametrize("section", [VirtualOptions, BinOptions, PrinterOptions, Refill])
def test_every_option_is_on_the_page(section: type[VirtualOptions]) -> None:
    virtual = PAGE.partition("\n## virtual\n")[2]
    assert [name for name in section.model_fields if not re.search(rf"\b{name}\b", virtual)] == []


def test_every_shipped_driver_and_every_kind_is_on_the_page() -> None:
    assert [name for name in SHIPPED if f"\n## {name}\n" not in PAGE] == []
    kinds = {kind.removesuffix(" mini") for kinds in KINDS.values() for kind in kinds}
    assert [kind for kind in kinds if not re.search(rf"{re.escape(kind)}\b", PAGE)] == []
