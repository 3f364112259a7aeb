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
SELL = """
from django.conf import settings
from storefront.demo import catalogue
catalogue.sell(settings.SPINDLE_DATA / "demo" / "sources")
"""


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


def stocked_shop() -> Path:
    """The same with what a demo sells. To be read only."""
    return made_once("stocked-shop", _make_stocked_shop)


def lay_out(data: Path, shop: Callable[[], Path] = new_shop) -> None:
    """Makes a copy of it of a folder which is not there yet, or empty."""
    shutil.copytree(shop(), data, dirs_exist_ok=True)


def _make_shop(data: Path) -> None:
    data.mkdir()
    for step in STEPS:
        _manage(data, *step)


def _make_stocked_shop(data: Path) -> None:
    lay_out(data)
    _manage(data, "shell", "-c", SELL)


def _manage(data: Path, *arguments: str) -> None:
    environment = os.environ | {"SPINDLE_DATA": str(data), "DATABASE_URL": "", "PYTHONWARNINGS": ""}
    subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, env=environment, check=True)
