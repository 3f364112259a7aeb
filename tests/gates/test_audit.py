"""pip-audit over what is pinned: without network always, and with its database of holes where that can be reached."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PINS = ("requirements.txt", "requirements-dev.txt", "requirements-bench.txt")


def audit(file: Path, *more: str) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).with_name("pip-audit"))
    command = [program, "--require-hashes", "--disable-pip", "--progress-spinner", "off", *more, "-r", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", PINS)
def test_every_pin_can_be_audited_without_resolving_anything(name: str) -> None:
    done = audit(ROOT / name, "--dry-run")
    assert done.returncode == 0, done.stderr


def test_a_pin_without_a_hash_is_refused(tmp_path: Path) -> None:
    loose = tmp_path / "requirements.txt"
    loose.write_text("segno==1.6.6\n")
    assert audit(loose, "--dry-run").returncode != 0


@pytest.mark.slow
@pytest.mark.parametrize("name", PINS)
def test_nothing_that_is_pinned_has_a_known_hole(name: str) -> None:
    done = audit(ROOT / name, "--format", "json")
    if not done.stdout.strip():
        pytest.skip(f"The database of known holes can't be reached: {done.stderr.strip()[-200:]}")
    found = json.loads(done.stdout)["dependencies"]
    audited = [each for each in found if "skip_reason" not in each]
    if not audited:
        pytest.skip(f"The database of known holes can't be reached: {found[0]['skip_reason']}")
    assert [(each["name"], hole["id"]) for each in audited for hole in each["vulns"]] == []
