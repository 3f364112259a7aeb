"""Reading and writing workload files: what is made of the defaults, and what is told of each mistake."""

from __future__ import annotations

import copy
import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given

from fulfillment.simulation.reading import WorkloadError, dump, read
from fulfillment.simulation.workload import Image, Line, Order, Outage, Refill, Workload, Writer
from tests.fulfillment.simulation.workloads import workloads

MISSING = object()
PLAIN: dict[str, Any] = {
    "images": [{"id": "a", "bytes": 700_000_000, "format": "cd"}],
    "writers": [{"id": "w1", "drives": 2, "formats": ["cd"], "write_rate": {"cd": 7e6}}],
    "orders": [{"id": "o1", "at": 0, "lines": [{"image": "a", "copies": 3}]}],
}
FULL: dict[str, Any] = {
    **PLAIN,
    "zone": "Europe/Berlin",
    "start": "2026-01-05T09:00:00+01:00",
    "writers": [
        {
            "id": "w1",
            "drives": 2,
            "formats": ["cd", "dvd"],
            "write_rate": {"cd": 7e6, "dvd": 20e6},
            "verify": False,
            "verify_rate": {"cd": 8e6},
            "load_s": 20,
            "print_s": 5,
            "link_rate": 1e7,
            "cache_bytes": 1e9,
            "cached": ["a"],
            "blanks": {"cd": 50},
            "bad_disc_probability": 0.1,
        }
    ],
    "orders": [
        {"id": "o1", "at": 5, "lines": [{"image": "a", "copies": 3}], "due": 3600, "priority": "high"},
    ],
    "refills": [{"writer": "w1", "format": "cd", "at": 100, "count": 25}],
    "outages": [{"writer": "w1", "from": 10, "to": 20}],
    "noise": {"write_time_sigma": 0.2},
}


def changed(path: str, value: object) -> dict[str, Any]:
    """FULL with one thing set, or taken out."""
    document = copy.deepcopy(FULL)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    inside: Any = document
    for part in parents:
        inside = inside[part]
    if value is MISSING:
        del inside[last]
    elif isinstance(inside, list) and last == len(inside):
        inside.append(value)
    else:
        inside[last] = value
    return document


def test_what_a_file_leaves_out_has_the_documented_default() -> None:
    workload = read(json.dumps(PLAIN))
    assert workload == Workload(
        images=(Image("a", 700_000_000, "cd"),),
        writers=(
            Writer(
                "w1",
                2,
                ("cd",),
                {"cd": 7e6},
                {"cd": 7e6},
                verify=True,
                load_s=15,
                print_s=0,
                link_rate=50e6,
                cache_bytes=100_000_000_000,
            ),
        ),
        orders=(Order("o1", 0, (Line("a", 3),), None, "normal"),),
        zone="UTC",
        start=dt.datetime(2026, 1, 5, 8, tzinfo=dt.UTC),
    )


def test_every_key_of_a_file_is_read() -> None:
    workload = read(json.dumps(FULL).encode())
    (writer,) = workload.writers
    assert (writer.verify, writer.load_s, writer.print_s, writer.link_rate) == (False, 20, 5, 1e7)
    assert (writer.cache_bytes, writer.cached, writer.blanks) == (1_000_000_000, ("a",), {"cd": 50})
    assert writer.bad_disc_probability == 0.1
    assert writer.verify_rate == {"cd": 8e6, "dvd": 20e6}  # the write rate where none is given
    assert workload.orders == (Order("o1", 5, (Line("a", 3),), 3600, "high"),)
    assert workload.refills == (Refill("w1", "cd", 100, 25),)
    assert workload.outages == (Outage("w1", 10, 20),)
    assert (workload.write_time_sigma, workload.zone) == (0.2, "Europe/Berlin")
    assert workload.start == dt.datetime(2026, 1, 5, 8, tzinfo=dt.UTC)


@given(workloads())
def test_what_is_dumped_reads_back_the_same(workload: Workload) -> None:
    assert read(dump(workload)) == workload


@given(workloads())
def test_dumping_again_what_was_read_changes_no_byte(workload: Workload) -> None:
    assert dump(read(dump(workload).encode())) == dump(workload)


def test_outages_that_overlap_or_touch_become_one_and_those_of_no_length_none() -> None:
    outages = [("w1", 5, 5), ("w1", 10, 20), ("w1", 15, 30), ("w1", 30, 40), ("w1", 50, 60)]
    document = {**FULL, "outages": [{"writer": name, "from": begins, "to": ends} for name, begins, ends in outages]}
    assert read(json.dumps(document)).outages == (Outage("w1", 10, 40), Outage("w1", 50, 60))


OVERFULL = [{"id": "a", "bytes": 6e8, "format": "cd"}, {"id": "b", "bytes": 6e8, "format": "cd"}]


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("surplus", 1, "surplus: unknown key"),
        ("writers/0/speed", 1, "writers[0].speed: unknown key"),
        ("orders/0/lines/0/format", "cd", "orders[0].lines[0].format: unknown key"),
        ("noise/sigma", 1, "noise.sigma: unknown key; take it out, or did you mean one of write_time_sigma?"),
        ("images", MISSING, "images: is required and missing"),
        ("writers/0/drives", MISSING, "writers[0].drives: is required and missing"),
        ("outages/0/from", MISSING, "outages[0].from: is required and missing"),
        ("writers/0/write_rate/dvd", MISSING, "writers[0].write_rate.dvd: is required"),
        ("writers/0/write_rate/dvd", -1, "writers[0].write_rate.dvd: must be above 0, is -1"),
        ("writers/0/write_rate/dvd", 0, "writers[0].write_rate.dvd: must be above 0, is 0"),
        ("writers/0/verify_rate/dvdd", 1, "writers[0].verify_rate.dvdd: no image or writer has this format"),
        ("writers/0/blanks/cdd", 1, "writers[0].blanks.cdd: no image or writer has this format"),
        ("writers/0/drives", True, "writers[0].drives: must be a whole number, is true"),
        ("writers/0/drives", 1.5, "writers[0].drives: must be a whole number, is 1.5"),
        ("writers/0/load_s", True, "writers[0].load_s: must be a number, is true"),
        ("writers/0/load_s", "15", 'writers[0].load_s: must be a number, is "15"'),
        ("writers/0/verify", 1, "writers[0].verify: must be true or false, is 1"),
        ("writers/0/print_s", float("nan"), "writers[0].print_s: must be a finite number, is NaN"),
        ("writers/0/link_rate", float("inf"), "writers[0].link_rate: must be a finite number, is Infinity"),
        ("orders/0/at", -0.5, "orders[0].at: must be 0 or more, is -0.5"),
        ("orders/0/due", -1, "orders[0].due: must be 0 or more, is -1"),
        ("orders/0/lines", [], "orders[0].lines: must be a list of one or more, is empty"),
        ("orders/0/lines/0/copies", 0, "orders[0].lines[0].copies: must be above 0, is 0"),
        ("orders/0/priority", "urgent", 'orders[0].priority: must be "normal" or "high", is "urgent"'),
        ("orders/0/lines/0/image", "b", 'orders[0].lines[0].image: "b" is no image'),
        ("writers/0/bad_disc_probability", 1, "writers[0].bad_disc_probability: must be below 1, is 1"),
        ("writers/0/cached/0", "b", 'writers[0].cached[0]: "b" is no image'),
        ("writers/0/cached/1", "a", 'writers[0].cached[1]: "a" is there already, at writers[0].cached[0]'),
        ("images/0/format", "bd", 'images[0].format: no writer writes "bd"; they write cd, dvd'),
        ("images/0/bytes", 2e9, "writers[0].cached: 2000000000 bytes do not fit in cache_bytes, 1000000000"),
        ("images/1", {"id": "b", "bytes": 2e9, "format": "cd"}, "images[1].bytes: 2000000000 is more than any writer"),
        ("images/1", {"id": "a", "bytes": 1, "format": "cd"}, 'images[1].id: "a" is there already, at images[0].id'),
        ("images/0/id", "", "images[0].id: must be text of one character or more"),
        ("orders/1", FULL["orders"][0], 'orders[1].id: "o1" is there already, at orders[0].id'),
        ("writers/1", FULL["writers"][0], 'writers[1].id: "w1" is there already, at writers[0].id'),
        ("writers/0/formats/1", "cd", 'writers[0].formats[1]: "cd" is there already, at writers[0].formats[0]'),
        ("refills/0/writer", "w2", 'refills[0].writer: "w2" is no writer'),
        ("refills/0/format", "bd", 'refills[0].format: w1 does not write "bd"; it writes cd, dvd'),
        ("outages/0/writer", "w2", 'outages[0].writer: "w2" is no writer'),
        ("outages/0/to", 9, "outages[0].to: must not be before from, 10, is 9"),
        ("zone", "Europe/Atlantis", "zone: must be a zone of the tz database"),
        ("start", "2026-01-05T08:00:00", "start: must say its zone"),
        ("start", "Monday", "start: must be a time such as"),
        ("start", "0001-01-01T00:00:00+14:00", "start: must be a time such as"),
        ("writers", {}, "writers: must be a list, in [ ], is an object"),
        ("writers/0", 7, "writers[0]: must be an object, in { }, is 7"),
    ],
)
def test_a_mistake_is_told_by_the_path_of_its_key(path: str, value: object, told: str) -> None:
    with pytest.raises(WorkloadError) as caught:
        read(json.dumps(changed(path, value)))
    assert str(caught.value).startswith(told)


def test_cached_images_have_to_fit_together() -> None:
    document = {**changed("writers/0/cached", ["a", "b"]), "images": OVERFULL}
    with pytest.raises(WorkloadError, match=r"^writers\[0\]\.cached: 1200000000 bytes do not fit"):
        read(json.dumps(document))


def test_a_key_given_twice_is_told_where_it_stands() -> None:
    text = json.dumps(PLAIN).replace('"drives": 2', '"drives": 2, "drives": 3')
    with pytest.raises(WorkloadError, match=r"^writers\[0\]\.drives: is there twice"):
        read(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "workload: must be JSON; line 1, column 1"),
        ("[]", "workload: must be an object"),
        (b"\xff", "workload: must be UTF-8, is not at byte 0"),
        ("[" * 100_000, "workload: is nested too deep"),
        ("9" * 5_000, "workload: has a whole number of thousands of digits"),
    ],
    ids=["empty", "a list", "not UTF-8", "deep", "long number"],
)
def test_what_is_no_workload_at_all_is_told(text: str | bytes, told: str) -> None:
    with pytest.raises(WorkloadError) as caught:
        read(text)
    assert str(caught.value).startswith(told)


def test_a_file_with_a_byte_order_mark_is_read() -> None:
    assert read(b"\xef\xbb\xbf" + json.dumps(PLAIN).encode()) == read(json.dumps(PLAIN))
