"""Reads docker-compose.yml as Compose does: merge keys, `${NAME:-default}`, and variables from deploy/env.example."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, cast

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yml"
VARIABLE = re.compile(r"\$\{(?P<name>[A-Z_]+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")


@cache
def compose() -> dict[str, Any]:
    """The whole file, with merge keys followed and variables still in it."""
    return cast(dict[str, Any], YAML(typ="safe", pure=True).load(FILE))


def services() -> dict[str, dict[str, Any]]:
    return cast(dict[str, dict[str, Any]], compose()["services"])


@cache
def example() -> dict[str, str]:
    """deploy/env.example as Compose reads an `.env`."""
    lines = (ROOT / "deploy" / "env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def filled(text: str) -> str:
    """The text with its variables. Raises KeyError for a needed one that the example does not name."""

    def value(match: re.Match[str]) -> str:
        name = match["name"]
        return example()[name] if match["kind"] == "?" else example().get(name, match["rest"] or "")

    return VARIABLE.sub(value, text).replace("$$", "$")


def environment(service: str) -> dict[str, str]:
    return {name: filled(str(value)) for name, value in services()[service].get("environment", {}).items()}


def command(service: str) -> list[str]:
    return [filled(part) for part in services()[service]["command"]]
