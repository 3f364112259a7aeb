"""What is wrong with a workload file, in words that name the key by its path and say what it has to be."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import ValidationError

from fulfillment.simulation.shapes import known_keys

Path = tuple[str | int, ...]


class WorkloadError(ValueError):
    """A workload file that cannot be run: the text names the key, by its path, and the remedy."""


def wrong(path: Path, text: str) -> WorkloadError:
    return WorkloadError(f"{dotted(path) or 'workload'}: {text}")


def dotted(path: Path) -> str:
    """`writers[3].write_rate.dvd`"""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")


def quoted(value: object) -> str:
    """As the file has it, cut where it is long."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list" if value else "empty"
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


MUST_BE: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "greater_than": lambda bound: f"above {bound['gt']:g}",
    "greater_than_equal": lambda bound: f"{bound['ge']:g} or more",
    "less_than": lambda bound: f"below {bound['lt']:g}",
    "finite_number": lambda _: "a finite number",
    "float_type": lambda _: "a number",
    "int_type": lambda _: "a whole number",
    "bool_type": lambda _: "true or false",
    "string_type": lambda _: "text, in quotes",
    "string_unicode": lambda _: "text of whole characters",
    "string_too_short": lambda _: "text of one character or more",
    "list_type": lambda _: "a list, in [ ]",
    "too_short": lambda _: "a list of one or more",
    "dict_type": lambda _: "an object, in { }",
    "model_type": lambda _: "an object, in { }",
    "literal_error": lambda among: str(among["expected"]).replace("'", '"'),
}


def translated(error: ValidationError) -> WorkloadError:
    """The first thing that is wrong, and how many more there are."""
    errors = error.errors(include_url=False)
    first = errors[0]
    path = first["loc"]
    if first["type"] == "missing":
        text = "is required and missing; add it"
    elif first["type"] == "extra_forbidden":
        text = f"unknown key; take it out, or did you mean one of {', '.join(_siblings(path))}?"
    else:
        rule = MUST_BE.get(first["type"])
        must = f"must be {rule(first.get('ctx', {}))}" if rule else first["msg"]
        text = f"{must}, is {quoted(first['input'])}"
    more = f" ({len(errors) - 1} more after this one)" if len(errors) > 1 else ""
    return wrong(path, text + more)


def _siblings(path: Path) -> list[str]:
    names = [part for part in path[:-1] if isinstance(part, str)]
    return known_keys(names[-1] if names else "")
