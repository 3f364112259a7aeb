"""No dependency without a reason and an exact version: Python's and npm's."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PINS = ("requirements.txt", "requirements-dev.txt", "requirements-bench.txt")
PROJECT = ROOT / "pyproject.toml"
EXTRAS: dict[str, list[str]] = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]

EXPLAINED = re.compile(r'    "(?P<requirement>[^"]+)",\s+# \S+ .*')


def name_of(requirement: str) -> str:
    return re.split(r"[\[~=<>! ;]", requirement)[0].lower().replace("_", "-").replace(".", "-")


def pinned(file: str) -> Iterator[tuple[str, str]]:
    """(name, the lines of its entry)"""
    for entry in re.split(r"\n(?=\S)", (ROOT / file).read_text()):
        if not entry.startswith("#"):
            yield name_of(entry), entry


def test_every_dependency_says_why_it_is_here() -> None:
    """On its own line, with a reason; an extra that is a part of another one has been explained there."""
    explained = {found["requirement"] for found in map(EXPLAINED.fullmatch, PROJECT.read_text().splitlines()) if found}
    wanted = {requirement for extra in EXTRAS.values() for requirement in extra}
    assert sorted(wanted - explained) == []
    assert set(EXTRAS["agent"]) <= set(EXTRAS["shop"])


def test_every_dependency_has_a_bound() -> None:
    loose = [each for extra in EXTRAS.values() for each in extra if not re.search(r"~=\d+\.\d+(\.\d+)?$", each)]
    assert loose == []


@pytest.mark.parametrize("file", PINS)
def test_every_pin_is_exact_and_has_hashes(file: str) -> None:
    entries = list(pinned(file))
    assert len(entries) > 50
    for name, entry in entries:
        assert re.match(r"[a-z0-9._-]+(\[[a-z,-]+\])?==[0-9][^ ]*( ; [^\\]+)? \\\n", entry), name
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), name
    assert "://" not in (ROOT / file).read_text(), f"{file} names an address"


@pytest.mark.parametrize(
    ("file", "extras"), [*zip(PINS, (["shop"], ["shop", "dev"], ["shop", "dev", "bench"]), strict=True)]
)
def test_pins_hold_all_that_is_wanted_and_nothing_that_nobody_wants(file: str, extras: list[str]) -> None:
    entries = dict(pinned(file))
    wanted = {name_of(requirement) for extra in extras for requirement in EXTRAS[extra]}
    assert sorted(wanted - set(entries)) == []
    # The compiler names whom each pin came with: the project itself, or another pin.
    for name, entry in entries.items():
        assert "# via" in entry, name
        assert (name in wanted) == ("spindle (pyproject.toml)" in entry), name


def test_all_files_pin_the_same_versions() -> None:
    shop, dev, bench = (dict(pinned(file)) for file in PINS)
    version = re.compile(r"==(\S+)")
    for fewer, more in ((shop, dev), (dev, bench)):
        assert [name for name in fewer if version.findall(fewer[name]) != version.findall(more[name])] == []


def test_npm_packages_are_pinned_exactly() -> None:
    package = json.loads((ROOT / "tests/html/package.json").read_text())
    lock = json.loads((ROOT / "tests/html/package-lock.json").read_text())
    wanted = package.get("dependencies", {}) | package["devDependencies"]
    for name, version in wanted.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), f"{name} {version}"
        locked = lock["packages"][f"node_modules/{name}"]
        assert locked["version"] == version
        assert locked["integrity"].startswith("sha512-")
