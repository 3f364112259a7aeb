"""What the fleet says of its writers."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from devices import silence
from devices.agent import wire
from devices.models import Drive, Write
from devices.resource_file import DriveFile
from devices.wear import Counted, Level, Limits
from fulfillment import blanks_outlook
from fulfillment.fleet import reading, rings
from fulfillment.fleet.board import board
from fulfillment.fleet.cards import Card
from fulfillment.fleet.page import page
from tests import fleets
from tests.fleets import Unit, drive, unit

pytestmark = pytest.mark.django_db

NOON = dt.datetime(2026, 11, 25, 11, 0, tzinfo=dt.UTC)


def card_of(made: Unit, now: dt.datetime) -> Card:
    return reading.one(made.writer, now)


def test_those_in_trouble_come_first_and_names_are_in_the_order_of_people(
    fleet: dict[str, Unit], now: dt.datetime
) -> None:
    found = reading.cards(now)
    assert [card.file.name.split(",")[0] for card in found] == [
        *("Writer 4", "Writer 5", "Writer 7", "Writer 8", "Writer 9"),  # broken
        "Writer 6",  # silent
        "Writer 3",  # waits for a person
        "Writer 11",  # in maintenance
        *("Writer 2", "Writer 10"),  # well
        "Writer 12",  # switched off
    ]


def test_each_writer_has_one_state(fleet: dict[str, Unit], now: dt.datetime) -> None:
    said = {name: card_of(made, now).word for name, made in fleet.items()}
    assert said == {
        "busy": "busy",
        "by-hand": "waits for a person",
        "stopped": "draining",
        "offline": "offline",
        "suspect": "silent",
        "robot": "idle",
        "lost": "stopped",
        "never": "never heard",
        "idle": "idle",
        "maintenance": "maintenance",
        "off": "switched off",
    }


def test_a_writer_that_somebody_works_on_is_in_no_trouble_for_being_off(
    fleet: dict[str, Unit], now: dt.datetime
) -> None:
    fleet["maintenance"].silent_for(600)
    silence.note(now)
    card = card_of(fleet["maintenance"], now)
    assert (card.word, card.in_trouble, card.silent) == ("offline", False, False)


@pytest.mark.parametrize("name", ["offline", "suspect", "lost"])
def test_of_a_writer_that_is_not_believed_no_drive_shows_what_it_did(
    fleet: dict[str, Unit], now: dt.datetime, name: str
) -> None:
    card = card_of(fleet[name], now)
    assert card.not_known_since
    assert card.asks == ()
    assert card.cache
    assert card.cache.words.endswith(f"free, as of {card.not_known_since}")
    for ring in card.rings:
        assert (ring.state, ring.percent, ring.serial) == ("unknown", 0, "")
        assert ring.word == f"not known since {card.not_known_since}"


drive_files = st.builds(
    DriveFile,
    pk=st.just(1),
    ident=st.text(min_size=1, max_size=8),
    role=st.sampled_from(["copier", "source"]),
    feed=st.sampled_from(["robot", "hand"]),
    formats=st.lists(st.sampled_from([*wire.FORMATS, "laserdisc"])).map(tuple),
    kinds=st.lists(st.sampled_from(sorted(wire.FORMAT_OF))).map(tuple),
    state=st.sampled_from(["idle", "busy", "stopped", "offline", "unknown"]),
    reasons=st.lists(st.text(max_size=8)).map(tuple),
    wants=st.sampled_from(["", "blank", "take-out"]),
    wants_since=st.none() | st.just(NOON),
    progress=st.none() | st.floats(0, 1),
    serial=st.sampled_from(["", "4K7P2M9XQR3T", "A-1"]),
    gone=st.booleans(),
    held_for=st.sampled_from(["", "a copy"]),
    held_by=st.sampled_from(["", "user:1 anna"]),
    held_since=st.none(),
    discs=st.just(0),
    failures=st.just(0),
    hours=st.just(0.0),
    since_service=st.just(Counted()),
    warn=st.just(Limits()),
    block=st.just(Limits()),
    serviced_at=st.none(),
    serviced_by=st.just(""),
    wear=st.sampled_from(Level),
    wear_text=st.just(""),
    blocked_at=st.none(),
)


@given(drive_files, st.sampled_from(["", "14:02"]))
def test_every_drive_has_one_ring_with_a_word(file: DriveFile, since: str) -> None:
    ring = rings.ring(file, not_known_since=since)
    assert 0 <= ring.percent <= 100
    assert ring.word in ring.label
    assert ring.name in ring.label
    if since:
        assert (ring.percent, ring.serial, ring.state) == (0, "", "unknown")


@given(drive_files, st.sampled_from(["", *wire.FORMATS]))
def test_what_a_drive_asks_is_always_something_to_do(file: DriveFile, blank_of: str) -> None:
    ask = rings.ask(file, {}, blank_of)
    assert (ask is None) == (file.wants == "")
    if ask:
        assert ask.say.startswith("insert a " if file.wants == "blank" else "take out")
        assert ask.verb in {"loaded", "taken-out"}
        assert ask.of("Writer 1") == ask.of("Writer 1").strip()


def test_what_is_asked_names_the_medium_and_the_mark(fleet: dict[str, Unit], now: dt.datetime) -> None:
    first, second, third = card_of(fleet["by-hand"], now).asks
    assert first.of("Writer 3") == "Drive 1 of Writer 3: insert a DVD (DVD-R or DVD+R)"
    assert (second.of("Writer 3"), second.care) == ("Drive 2 of Writer 3: take out, mark 4K7P-2M9X-QR3S", "")
    assert third.of("Writer 3") == "Drive 3 of Writer 3: take out, mark 9ZD1-T5RR-M7X2"
    assert third.care == "This disc is bad: mark it and put it to the bad ones."


def test_a_drive_that_names_no_disc_asks_for_what_the_oldest_write_wants(now: dt.datetime) -> None:
    made = unit("Writer 1", now)
    made.disc("planned", format_="cd")
    made.disc("planned", format_="dvd")
    made.report(drives=[drive("d1", wants="blank"), drive("d2", wants="blank", formats=("dvd",), kinds=("DVD-R",))])
    assert [ask.say for ask in card_of(made, now).asks] == ["insert a CD", "insert a DVD"]


def test_without_a_write_it_asks_for_what_it_takes(now: dt.datetime) -> None:
    made = unit("Writer 1", now).report(drives=[drive("d1", wants="blank")])
    assert [ask.say for ask in card_of(made, now).asks] == ["insert a CD or a DVD"]


def test_blanks_say_until_when_they_last(now: dt.datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    made = unit("Writer 1", now)
    made.bin("CD-R", "A", loaded=80)
    made.bin("DVD-R", "B", loaded=80)
    made.bin("BD-R", "C", loaded=6)
    made.bin("DVD+R DL", "D", loaded=5, started=5)
    made.report()
    until = {
        (made.writer.pk, "cd"): now + dt.timedelta(hours=2),
        (made.writer.pk, "dvd"): now + dt.timedelta(minutes=30),
    }
    monkeypatch.setattr(blanks_outlook, "outlook", lambda moment: until)
    stacks = {stack.bin: stack for stack in card_of(made, now).stacks}
    at = timezone.localtime(until[made.writer.pk, "cd"])
    assert stacks["A"].lasts in {f"until {at:%H:%M}", f"until {at:%-d %b, %H:%M}"}
    assert {name: stack.tone for name, stack in stacks.items()} == {"A": "", "B": "watch", "C": "watch", "D": "bad"}
    assert stacks["C"].lasts == "low: load some soon"
    assert (stacks["D"].lasts, stacks["D"].layers) == ("empty: load some", ())
    assert len(stacks["A"].layers) == 8


def test_filters_count_what_they_lead_to(fleet: dict[str, Unit], now: dt.datetime) -> None:
    cards = reading.cards(now)
    for query in ({}, {"show": "trouble"}, {"show": "offline", "format": "dvd"}, {"format": "bd"}):
        seen = board(cards, query)
        chosen = next(chip for chip in seen.chips if chip.on)
        assert chosen.number == len(seen.cards)
    assert [card.file.name for card in board(cards, {"format": "bd"}).cards] == ["Writer 7"]
    assert len(board(cards, {"show": "nonsense", "format": "<b>"}).cards) == len(fleet)
    assert board(cards, {}).told.startswith("Drive 1 of Writer 3: insert a DVD (DVD-R or DVD+R).")


def test_reading_costs_the_same_for_any_number_of_writers(
    fleet: dict[str, Unit], now: dt.datetime, django_assert_max_num_queries: object
) -> None:
    with django_assert_max_num_queries(9):  # type: ignore[operator]
        assert len(reading.cards(now)) == len(fleet)
    with django_assert_max_num_queries(20):  # type: ignore[operator]
        page(fleet["busy"].writer, now)


def test_an_image_that_a_write_wants_is_not_offered_for_purging(fleet: dict[str, Unit], now: dt.datetime) -> None:
    images = {image.sha256: image for image in page(fleet["busy"].writer, now).images}
    assert images[fleets.digest("Nine songs")].keeps == "A write here wants it."
    assert images[fleets.digest("Old")].keeps == ""
    Write.objects.update(state="done")
    assert {image.keeps for image in page(fleet["busy"].writer, now).images} == {""}


def test_a_held_and_a_worn_drive_say_so(fleet: dict[str, Unit], now: dt.datetime) -> None:
    Drive.objects.filter(writer=fleet["robot"].writer, ident="d3").update(discs=2000, block_discs=1500)
    labels = [ring.label for ring in card_of(fleet["robot"], now).rings]
    assert labels == [
        "Drive 1: idle",
        "Drive 2: idle, service due",
        "Drive 3: idle, service overdue",
        "Drive 4: idle, held by anna",
    ]
