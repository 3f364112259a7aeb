"""A storage folder per test, and the real tools that read images."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def images(settings: Settings, tmp_path: Path) -> Path:
    """The folder of images, empty."""
    settings.SPINDLE_IMAGES = tmp_path / "images"
    return tmp_path / "images"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small real folder: an executable, a folder, an empty file, a hidden one."""
    return fill(
        tmp_path / "source",
        {
            "README.txt": b"read me\n",
            "bin/run": b"#!/bin/sh\necho hello\n",
            "empty": b"",
            ".hidden": b"hidden",
            "docs/deeper/page.html": b"<p>page</p>" * 1000,
        },
    )


def fill(root: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def contents(root: Path) -> dict[str, bytes]:
    """Every regular file below a folder."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def stored(images: Path) -> list[Path]:
    """Every file in the storage, drafts too."""
    return sorted(path for path in images.rglob("*") if path.is_file())


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, check=False)
    output = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0, output
    return done.stdout.decode(errors="surrogateescape")


def extract_with_xorriso(image: Path, target: Path) -> Path:
    """What Rock Ridge says."""
    run("xorriso", "-osirrox", "on", "-indev", image, "-extract", "/", target)
    run("chmod", "-R", "u+w", target)
    return target


def extract_with_7z(image: Path, target: Path) -> Path:
    """What Joliet says, or UDF where there is some."""
    run("7z", "x", "-y", f"-o{target}", image)
    return target


def listed(image: Path, option: str) -> set[str]:
    """Paths as isoinfo lists them: `-R` Rock Ridge, `-J` Joliet."""
    return {line for line in run("isoinfo", option, "-f", "-i", image).splitlines() if line.startswith("/")}
