"""Stripe's form encoding, against what the SDK really sends."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stripe._encode import _api_encode

from storefront.standin.errors import StripeError
from storefront.standin.form import Parameters, Tree, decode

names = st.text(st.characters(codec="utf-8", exclude_characters="[]"), min_size=1, max_size=8)
values = st.text(st.characters(codec="utf-8"), max_size=20)
trees = st.recursive(values, lambda inner: st.dictionaries(names, inner, min_size=1, max_size=4), max_leaves=12)


def depth(tree: Any) -> int:
    return 1 + max(map(depth, tree.values()), default=0) if isinstance(tree, dict) else 0


@given(st.dictionaries(names, trees, max_size=4).filter(lambda tree: depth(tree) <= 8))
def test_what_the_sdk_encodes_is_decoded_to_the_same(tree: Tree) -> None:
    assert decode(urlencode(list(_api_encode(tree)))) == tree


@given(st.text(max_size=200))
def test_any_text_is_decoded_or_refused_in_stripes_way(body: str) -> None:
    with suppress(StripeError):
        decode(body)


def test_arrays_keep_the_order_of_their_indices() -> None:
    body = urlencode(list(_api_encode({"line_items": [{"quantity": number} for number in range(12)]})))
    items = Parameters(decode(body)).items("line_items")
    assert [item.integer("quantity", low=0, high=99) for item in items] == list(range(12))


def test_arrays_without_indices_are_counted() -> None:
    assert Parameters(decode("expand[]=a&expand[]=b")).texts("expand") == ["a", "b"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ("a=1&a[b]=2", "a[b]"),
        ("a[b]=1&a=2", "a"),
        ("a[b=1", "a[b"),
        ("a]b[c]=1", "a]b[c]"),
        ("[a]=1", "[a]"),
    ],
)
def test_a_name_that_contradicts_or_breaks_is_refused_by_name(body: str, param: str) -> None:
    with pytest.raises(StripeError) as caught:
        decode(body)
    assert caught.value.param == param


@pytest.mark.parametrize("body", ["a=%ff", "&".join(f"a{n}=1" for n in range(1001))])
def test_broken_or_endless_forms_are_refused(body: str) -> None:
    with pytest.raises(StripeError):
        decode(body)


def test_what_nobody_asked_for_is_refused_as_it_was_spelt() -> None:
    section = Parameters(decode("a[b][c]=1")).section("a").section("b")
    with pytest.raises(StripeError) as caught:
        section.finish()
    assert (caught.value.code, caught.value.param) == ("parameter_unknown", "a[b][c]")


@pytest.mark.parametrize("text", ["9.90", "1e3", "٣", "0x10", "--1", "1" * 30, "-1", "101"])
def test_an_integer_must_be_one_and_in_range(text: str) -> None:
    with pytest.raises(StripeError) as caught:
        Parameters({"n": text}).integer("n", low=0, high=100)
    assert (caught.value.code, caught.value.param) == ("parameter_invalid_integer", "n")


def test_metadata_has_its_limits() -> None:
    assert Parameters({"metadata": {"a": "1", "b": ""}}).metadata() == {"a": "1"}
    too_much: list[Tree] = [
        {f"k{n}": "v" for n in range(51)},
        {"k" * 41: "v"},
        {"k": "v" * 501},
        {"k": {"deeper": "v"}},
    ]
    for tree in too_much:
        with pytest.raises(StripeError):
            Parameters({"metadata": tree}).metadata()
