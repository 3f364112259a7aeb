"""Bounds on the code itself, so that nobody has to argue about them in a review."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = ("storefront", "fulfillment", "devices", "archive")
BANNED = {"utils", "helpers", "services", "managers", "core", "common"}


def modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path


def test_files_stay_under_400_lines() -> None:
    long = [f"{path.relative_to(ROOT)}" for path in modules(*APPS, "tests") if len(path.read_text().splitlines()) > 400]
    assert long == []


def test_functions_stay_under_60_lines() -> None:
    long = []
    for path in modules(*APPS):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > 60:
                    long.append(f"{path.relative_to(ROOT)}:{node.name} {lines}")
    assert long == []


def test_no_module_is_named_after_nothing() -> None:
    assert [path for path in modules(*APPS) if path.stem in BANNED or BANNED & set(path.parts)] == []


def test_modules_say_what_they_are_for() -> None:
    exempt = {"__init__", "apps", "urls", "wsgi"}
    silent = [
        str(path.relative_to(ROOT))
        for path in modules(*APPS)
        if path.stem not in exempt and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


@pytest.mark.parametrize("app", ["storefront", "fulfillment"])
def test_states_are_written_only_where_they_belong(app: str) -> None:
    """No `.update(state=…)` outside the module that holds the transition table."""
    allowed = {"lifecycle.py", "outbox.py"}
    writes = re.compile(r"\.state\s*=\s*[A-Z]|update\([^)]*\bstate=")
    found = [
        str(path.relative_to(ROOT))
        for path in modules(app)
        if path.name not in allowed and writes.search(path.read_text()) and "standin" not in path.parts
    ]
    assert found == []
