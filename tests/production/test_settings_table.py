"""The table of settings in docs/deploy.md against settings.py: none missing, none invented, each with its default."""

from __future__ import annotations

import ast
import re

import pytest

from tests.production.compose import ROOT

ROW = re.compile(r"^\| `(?P<name>[A-Z_]+)` \| (?P<default>[^|]*) \| (?P<meaning>[^|]+) \|$", re.MULTILINE)
READERS = {"env", "env_flag", "env_list", "kept_secret", "limit"}


def read_by_settings() -> dict[str, str | None]:
    """Name in the environment → default; None where it is worked out."""
    found: dict[str, str | None] = {}
    for node in ast.walk(ast.parse((ROOT / "storefront" / "settings.py").read_text())):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in READERS):
            continue
        if not isinstance(node.args[0], ast.Constant):
            continue  # a reader that hands its own argument on
        prefix = "SPINDLE_LIMIT_" if node.func.id == "limit" else ""
        default = node.args[1] if len(node.args) > 1 else None
        plain = isinstance(default, ast.Constant)
        value = default.value if isinstance(default, ast.Constant) else None
        found[prefix + str(node.args[0].value)] = (
            (str(value).lower() if value in {True, False} else str(value)) if plain else None
        )
    return found


def table() -> dict[str, tuple[str, str]]:
    text = (ROOT / "docs" / "deploy.md").read_text()
    return {row["name"]: (row["default"].strip(), row["meaning"].strip()) for row in ROW.finditer(text)}


def test_every_setting_is_in_the_table_and_nothing_else() -> None:
    assert sorted(table()) == sorted(read_by_settings())


@pytest.mark.parametrize("name", sorted(read_by_settings()))
def test_the_table_names_the_default(name: str) -> None:
    default = read_by_settings()[name]
    if name not in table():
        pytest.fail(f"{name} is not in docs/deploy.md.")
    said, meaning = table()[name]
    assert len(meaning) > 10
    if default is not None:
        assert said == (f"`{default}`" if default else "–")
    else:
        assert said not in {"", "–"}
