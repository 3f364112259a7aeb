from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulfillment.papers.content import Recipient, printable
from tests.fulfillment.papers.contents import REAL, address


@pytest.mark.parametrize(("to", "lines"), REAL.values(), ids=REAL)
def test_real_addresses_stand_in_the_order_of_their_country(to: Recipient, lines: tuple[str, ...]) -> None:
    assert to.lines == lines


def test_the_country_is_in_capitals_abroad_and_left_out_at_home() -> None:
    assert address(country=("FR", "France")).country == "FRANCE"
    assert address(country=("DE", "Germany")).country == ""


def test_a_country_of_no_known_layout_gets_its_postcode_first_and_its_region_below() -> None:
    to = address(city="Reykjavík", postal_code="101", region="Höfuðborgarsvæðið", country=("IS", "Iceland"))
    assert to.lines == ("Lindenallee 12", "101 Reykjavík", "Höfuðborgarsvæðið")


def test_line_breaks_tabs_and_control_characters_cannot_change_the_lines() -> None:
    to = address(name=" Anna\n\tWeber\x00 ", line1="Linden\u202eallee\r\n12")
    assert (to.name, to.lines[0]) == ("Anna Weber", "Lindenallee 12")


def test_joiners_that_letters_need_are_kept() -> None:
    assert printable("می\u200cخواهم 👩\u200d💻") == "می\u200cخواهم 👩\u200d💻"


@given(
    country=st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=2, max_size=2),
    fields=st.tuples(*[st.text("abcxyzÄÖ 123-", max_size=12)] * 5),
)
def test_whatever_the_country_nothing_that_was_typed_is_lost(country: str, fields: tuple[str, ...]) -> None:
    line1, line2, city, region, postal_code = fields
    to = address(
        line1=line1, line2=line2, city=city, region=region, postal_code=postal_code, country=(country, "Somewhere")
    )
    printed = Counter("".join(to.lines).replace(" ", ""))
    typed = Counter("".join((line1, line2, city, region, postal_code.upper())).replace(" ", ""))
    assert typed <= printed
    assert set(printed - typed) <= {"-", ","}  # what joins a town and its region in Brazil and Colombia
