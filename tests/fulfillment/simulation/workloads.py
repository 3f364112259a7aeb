"""Any small workload that a file may hold, for properties."""

from __future__ import annotations

import datetime as dt

from hypothesis import strategies as st

from fulfillment.simulation.consistency import without_overlaps
from fulfillment.simulation.workload import Image, Line, Order, Outage, Refill, Workload, Writer

FORMATS = ("cd", "dvd", "bd")
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
seconds = st.floats(0, 1e9)
rates = st.floats(0, 1e12, exclude_min=True)
starts = st.datetimes(dt.datetime(1970, 1, 2), dt.datetime(9000, 1, 1), timezones=st.just(dt.UTC))  # noqa: DTZ001 - hypothesis adds the zone


@st.composite
def workloads(draw: st.DrawFn) -> Workload:
    sizes = draw(st.dictionaries(names, st.integers(1, 10**12), min_size=1, max_size=5))
    images = tuple(Image(name, size, draw(st.sampled_from(FORMATS))) for name, size in sizes.items())
    all_round = _writer(draw, "all-round", FORMATS, images, cache_bytes=10**13)
    others = (
        _writer(draw, f"w{number}", draw(st.sampled_from([("cd",), ("dvd", "bd")])), (), draw(st.integers(0, 10**12)))
        for number in range(draw(st.integers(0, 2)))
    )
    writers = (all_round, *others)
    orders = tuple(
        Order(
            name,
            draw(seconds),
            tuple(draw(st.lists(_lines(images), min_size=1, max_size=3))),
            draw(st.none() | seconds),
            draw(st.sampled_from(["normal", "high"])),
        )
        for name in draw(st.sets(names, max_size=4))
    )
    outages = draw(st.lists(st.builds(_outage, st.sampled_from(writers), seconds, seconds), max_size=4))
    return Workload(
        images,
        writers,
        orders,
        refills=tuple(
            draw(
                st.lists(
                    st.builds(Refill, st.just("all-round"), st.sampled_from(FORMATS), seconds, st.integers(0, 99)),
                    max_size=2,
                )
            )
        ),
        outages=without_overlaps(outages),
        write_time_sigma=draw(st.floats(0, 2)),
        zone=draw(st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"])),
        start=draw(starts),
    )


def _writer(
    draw: st.DrawFn, name: str, formats: tuple[str, ...], images: tuple[Image, ...], cache_bytes: int
) -> Writer:
    return Writer(
        id=name,
        drives=draw(st.integers(1, 8)),
        formats=formats,
        write_rate={format_: draw(rates) for format_ in formats},
        verify_rate={format_: draw(rates) for format_ in formats},
        verify=draw(st.booleans()),
        load_s=draw(seconds),
        print_s=draw(seconds),
        link_rate=draw(rates),
        cache_bytes=cache_bytes,
        cached=tuple(image.id for image in images if draw(st.booleans())),
        blanks=draw(st.dictionaries(st.sampled_from(formats), st.integers(0, 500))),
        bad_disc_probability=draw(st.floats(0, 1, exclude_max=True)),
    )


def _lines(images: tuple[Image, ...]) -> st.SearchStrategy[Line]:
    return st.builds(Line, st.sampled_from([image.id for image in images]), st.integers(1, 100))


def _outage(writer: Writer, one: float, other: float) -> Outage:
    return Outage(writer.id, min(one, other), max(one, other))
