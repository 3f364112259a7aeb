"""Mastering and hashing against genisoimage and openssl, which do neither names nor checks of ours."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.measuring import ROOT, Row, in_python, in_turns, run, timed

PEER = "genisoimage -J -R, openssl sha256"


def measure(folder: Path, rounds: int) -> list[Row]:
    sets = {
        "a file of 600 MB": (_one_file(folder / "one"), 1.2),
        "5,000 files of 100 kB": (_many_files(folder / "many"), 1.5),
    }
    rows = []
    for name, (source, bound) in sets.items():
        ours, peers, megabytes = _both(source, folder, rounds)
        rows += [
            Row(f"Master and hash {name}", PEER, ours, peers, bound),
            Row(f"… memory, {name}", "–", megabytes, (), 100, "MB"),
        ]
    seconds, most = _whole_command(sets["5,000 files of 100 kB"][0], folder / "shop")
    rows += [
        Row("… the whole command `archive add`, 5,000 files of 100 kB", "–", (seconds,), (), None),
        Row("… its memory, with all of the shop loaded", "–", (most,), (), None, "MB"),
    ]
    return rows


def _whole_command(source: Path, data: Path) -> tuple[float, float]:
    """Seconds with interpreter, database and `fsync`, and the most memory in MB."""
    manage = [sys.executable, str(ROOT / "manage.py")]
    env = os.environ | {"SPINDLE_DATA": str(data), "DATABASE_URL": ""}
    subprocess.run([*manage, "migrate", "--verbosity", "0"], env=env, check=True)
    facts = ["--part-number", "P-1", "--title", "Bench", "--kind", "data"]
    began = time.perf_counter()
    child = subprocess.Popen([*manage, "archive", "add", str(source), *facts], env=env, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"archive add ended with {child.returncode}")
    return time.perf_counter() - began, usage.ru_maxrss * 1024 / 1e6


def _both(source: Path, folder: Path, rounds: int) -> tuple[tuple[float, ...], ...]:
    target = folder / "made.iso"
    megabytes: list[float] = []

    def ours() -> float:
        target.unlink(missing_ok=True)
        environment = {"DJANGO_SETTINGS_MODULE": "storefront.settings", "SPINDLE_DATA": str(folder / "data")}
        said = in_python("tests.bench.master_once", str(source), str(target), env=environment)
        megabytes.append(said["megabytes"])
        return said["seconds"]

    def peer() -> float:
        target.unlink(missing_ok=True)
        options = ["-quiet", "-J", "-R", "-iso-level", "3", "-V", "BENCH", "-o"]
        return timed(lambda: run("genisoimage", *options, target, source)) + timed(
            lambda: run("openssl", "sha256", target)
        )

    mine, its = in_turns(rounds, ours, peer)
    target.unlink()
    return mine, its, tuple(megabytes)


def _one_file(folder: Path) -> Path:
    folder.mkdir()
    with (folder / "film.bin").open("wb") as file:
        for _ in range(600):
            file.write(os.urandom(1_000_000))
    return folder


def _many_files(folder: Path) -> Path:
    for directory in range(50):
        inner = folder / f"folder {directory:02}"
        inner.mkdir(parents=True)
        for number in range(100):
            (inner / f"file {number:03}.dat").write_bytes(os.urandom(100_000))
    return folder
