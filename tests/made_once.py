"""What takes long and is the same for all tests: made once in a run, by whichever of its processes needs it first."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.data_folder import SHARED

ROOT = Path(__file__).resolve().parent.parent
STEPS = (["migrate", "--verbosity", "0"], ["collectstatic", "--noinput", "--verbosity", "0"])


def made_once(name: str, make: Callable[[Path], object]) -> Path:
    """make: puts it at the path it is given. Others wait until it is there."""
    place = SHARED / name
    with place.with_name(f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            part = place.with_name(f"{name}.part")
            shutil.rmtree(part, ignore_errors=True)  # of a try that failed
            make(part)
            part.rename(place)
    return place


def new_shop() -> Path:
    """A data folder as `migrate` and `collectstatic` leave it on SQLite. To be read only."""
    return made_once("new-shop", _make_shop)


def lay_out(data: Path) -> None:
    """Makes that of a folder which is not there yet, or empty."""
    shutil.copytree(new_shop(), data, dirs_exist_ok=True)


def _make_shop(data: Path) -> None:
    data.mkdir()
    environment = os.environ | {"SPINDLE_DATA": str(data), "DATABASE_URL": "", "PYTHONWARNINGS": ""}
    for step in STEPS:
        subprocess.run([sys.executable, "manage.py", *step], cwd=ROOT, env=environment, check=True)
