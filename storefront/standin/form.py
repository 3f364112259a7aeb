"""Stripe's form encoding: `line_items[0][price_data][currency]=eur` to a tree, and the careful reading of that tree.

Pure. Every refusal names the parameter as the client spelt it.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias
from urllib.parse import parse_qsl

from storefront.standin.errors import StripeError

Tree: TypeAlias = "dict[str, str | Tree]"

MAX_FIELDS: Final = 1000
NAME = re.compile(r"(?P<head>[^\[\]]+)(?P<rest>(?:\[[^\[\]]*\]){0,8})")
STEP = re.compile(r"\[([^\[\]]*)\]")
INTEGER = re.compile(r"-?[0-9]{1,15}")


def decode(body: str) -> Tree:
    """A form or query string as a tree; arrays are trees whose names are their indices.

    Raises StripeError for broken encoding, more than 1000 fields, or a name that contradicts another one.
    """
    try:
        pairs = parse_qsl(body, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError as error:
        raise StripeError(f"The parameters can't be read: {error}.") from error
    tree: Tree = {}
    for name, value in pairs:
        _put(tree, name, value)
    return tree


def _put(tree: Tree, name: str, value: str) -> None:
    match = NAME.fullmatch(name)
    if not match:
        raise StripeError(f"Invalid parameter name: {name[:100]}", code="parameter_unknown", param=name[:100])
    steps = [match["head"], *STEP.findall(match["rest"])]
    for step in steps[:-1]:
        child = tree.setdefault(step or str(len(tree)), {})
        if not isinstance(child, dict):
            raise StripeError(f"Invalid object: {name} is a value and a list at once", param=name)
        tree = child
    last = steps[-1] or str(len(tree))
    if isinstance(tree.get(last), dict):
        raise StripeError(f"Invalid object: {name} is a value and a list at once", param=name)
    tree[last] = value


class Parameters:
    """Takes known parameters out of a tree one by one; `finish` refuses what nobody asked for."""

    def __init__(self, tree: Tree, path: str = "") -> None:
        self._left = dict(tree)
        self._path = path

    def spelt(self, name: str) -> str:
        """The parameter as the client wrote it: `line_items[0][quantity]`."""
        return f"{self._path}[{name}]" if self._path else name

    def text(self, name: str, *, limit: int = 5000) -> str | None:
        value = self._left.pop(name, None)
        if value is None:
            return None
        if isinstance(value, dict):
            raise StripeError(f"Invalid string: {self.spelt(name)} must be a string", param=self.spelt(name))
        if value == "":
            raise StripeError(
                f"You passed an empty string for '{self.spelt(name)}'. Leave it out, or give it a value.",
                code="parameter_invalid_empty",
                param=self.spelt(name),
            )
        if len(value) > limit:
            raise StripeError(
                f"Invalid string: {value[:20]}…; must be at most {limit} characters",
                code="parameter_invalid_string",
                param=self.spelt(name),
            )
        return value

    def required(self, name: str, *, limit: int = 5000) -> str:
        value = self.text(name, limit=limit)
        if value is None:
            raise self.absent(name)
        return value

    def absent(self, name: str) -> StripeError:
        spelt = self.spelt(name)
        return StripeError(f"Missing required param: {spelt}.", code="parameter_missing", param=spelt)

    def integer(self, name: str, *, low: int, high: int) -> int | None:
        text = self.text(name)
        if text is None:
            return None
        spelt = self.spelt(name)
        if not INTEGER.fullmatch(text):
            raise StripeError(f"Invalid integer: {text[:40]}", code="parameter_invalid_integer", param=spelt)
        if not low <= int(text) <= high:
            raise StripeError(
                f"Invalid integer: {spelt} must be from {low} to {high}, not {text}",
                code="parameter_invalid_integer",
                param=spelt,
            )
        return int(text)

    def one_of(self, name: str, choices: tuple[str, ...]) -> str | None:
        value = self.text(name)
        if value is not None and value not in choices:
            spelt = self.spelt(name)
            raise StripeError(f"Invalid {spelt}: must be one of {', '.join(choices)}", param=spelt)
        return value

    def is_tree(self, name: str) -> bool:
        return isinstance(self._left.get(name), dict)

    def section(self, name: str) -> Parameters:
        """The parameters below `name`; empty ones when it is absent."""
        value = self._left.pop(name, {})
        if not isinstance(value, dict):
            raise StripeError(f"Invalid object: {self.spelt(name)} must be a hash", param=self.spelt(name))
        return Parameters(value, self.spelt(name))

    def items(self, name: str) -> list[Parameters]:
        """The elements of an array of hashes, in the order of their indices."""
        tree = self._array(name)
        items = []
        for index in sorted(tree, key=int):
            value = tree[index]
            if not isinstance(value, dict):
                spelt = f"{self.spelt(name)}[{index}]"
                raise StripeError(f"Invalid object: {spelt} must be a hash", param=spelt)
            items.append(Parameters(value, f"{self.spelt(name)}[{index}]"))
        return items

    def texts(self, name: str) -> list[str]:
        """The elements of an array of strings."""
        tree = self._array(name)
        values = [tree[index] for index in sorted(tree, key=int)]
        if not all(isinstance(value, str) for value in values):
            raise StripeError(f"Invalid array: {self.spelt(name)} must hold strings", param=self.spelt(name))
        return [str(value) for value in values]

    def _array(self, name: str) -> Tree:
        value = self._left.pop(name, {})
        if not isinstance(value, dict) or not all(re.fullmatch("[0-9]{1,4}", index) for index in value):
            raise StripeError(f"Invalid array: {self.spelt(name)} must be an array", param=self.spelt(name))
        return value

    def metadata(self, name: str = "metadata") -> dict[str, str]:
        """At most 50 pairs; names up to 40 characters, values up to 500; an empty value unsets its name."""
        values = self.section(name)
        if len(values._left) > 50:
            raise StripeError("Metadata can have up to 50 keys.", param=self.spelt(name))
        for key in values._left:
            if len(key) > 40:
                raise StripeError("Metadata keys can have up to 40 characters.", param=values.spelt(key))
        return {key: values.required(key, limit=500) for key, value in list(values._left.items()) if value != ""}

    def finish(self) -> None:
        for name in self._left:
            raise StripeError(
                f"Received unknown parameter: {self.spelt(name)} (or one that this stand-in doesn't know)",
                code="parameter_unknown",
                param=self.spelt(name),
            )
