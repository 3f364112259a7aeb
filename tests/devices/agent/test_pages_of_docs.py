"""docs/agents.md and the systemd unit say what the program takes."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from devices.agent.__main__ import arguments
from devices.agent.config import read_config
from tests.devices.agent.plant import ROOT

PAGE = (ROOT / "docs" / "agents.md").read_text()
UNIT = (ROOT / "docs" / "spindle-agent.service").read_text()


def commands() -> list[list[str]]:
    """What stands behind the program's name, in the unit and on the page."""
    return [
        shlex.split(line) for line in re.findall(r"/bin/spindle-agent ((?:enrol )?--.+)$", UNIT + PAGE, re.MULTILINE)
    ]


def test_every_command_names_options_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    found = [arguments().parse_args(command) for command in commands()]
    assert [asked.verb for asked in found] == [None, "enrol"]
    assert {asked.config for asked in found} == {Path("/etc/spindle-agent/agent.toml")}
    for verb in ([], ["enrol"]):
        with pytest.raises(SystemExit):
            arguments().parse_args([*verb, "--help"])
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    assert set(re.findall(r"`(--[a-z-]+)", PAGE)) <= known


def test_the_configuration_on_the_page_is_read(tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(.+?)```", PAGE, re.DOTALL)
    (tmp_path / "agent.toml").write_text(text)
    config = read_config(tmp_path / "agent.toml")
    assert config.writer is None
    assert str(config.state) == re.search(r"^WorkingDirectory=(.+)$", UNIT, re.MULTILINE)[1]  # type: ignore[index]
    assert [(drive.id, drive.role, drive.feed) for drive in config.drives] == [
        ("d1", "copier", "hand"),
        ("s1", "source", "robot"),
    ]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "spindle-agent.service"
    unit.write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={sys.executable}", UNIT, flags=re.MULTILINE))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, [line for line in done.stderr.splitlines() if unit.name in line]) == (0, [])
