from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devices.agent import wire
from devices.serials import CROCKFORD, check_character, is_serial, new_serial, normalise, spoken

BODIES = st.text(alphabet=CROCKFORD, min_size=11, max_size=11)


def test_alphabet_leaves_out_what_looks_alike() -> None:
    assert len(CROCKFORD) == 32
    assert not set("ILOU") & set(CROCKFORD)


def test_new_serials_are_serials_that_the_wire_takes() -> None:
    made = {new_serial() for _ in range(1000)}
    assert len(made) == 1000
    assert all(is_serial(serial) for serial in made)
    assert all(wire.DiscOrder(serial=serial).serial == serial for serial in made)


@given(BODIES, st.integers(0, 11), st.sampled_from(CROCKFORD))
def test_every_single_wrong_character_is_found(body: str, place: int, wrong: str) -> None:
    serial = body + check_character(body)
    damaged = serial[:place] + wrong + serial[place + 1 :]
    assert is_serial(damaged) == (damaged == serial)


@given(BODIES, st.integers(0, 10))
def test_every_swap_of_neighbours_is_found(body: str, place: int) -> None:
    serial = body + check_character(body)
    swapped = serial[:place] + serial[place + 1] + serial[place] + serial[place + 2 :]
    assert is_serial(swapped) == (swapped == serial)


@given(st.text(max_size=20))
def test_any_text_is_a_serial_or_not(text: str) -> None:
    assert is_serial(text) in {True, False}
    assert isinstance(normalise(text), str)


def test_serial_is_read_as_people_write_it() -> None:
    body = "4K7P2M901RT"
    serial = body + check_character(body)
    typed = spoken(serial).lower().replace("0", "o").replace("1", "l")
    assert normalise(f" {typed} ") == serial
    assert normalise(serial.replace("1", "I")) == serial


def test_serial_is_spoken_in_groups_of_four() -> None:
    assert spoken("4K7P2M9XQR3T") == "4K7P-2M9X-QR3T"


def test_lower_case_and_wrong_lengths_are_no_serials() -> None:
    serial = new_serial()
    assert not is_serial(serial.lower() if serial.lower() != serial else serial + "0")
    assert not is_serial(serial[:-1])
    assert not is_serial(serial + "0")
    assert not is_serial("")
