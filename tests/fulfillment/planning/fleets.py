"""Small fleets and queues for planning tests, built by name rather than by position."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st

from fulfillment.planning.model import DriveView, JobView, Rates, Snapshot, WriterView

MB = 1_000_000


def rates(speed: float = 10 * MB, link: float = 50 * MB, load: float = 15.0) -> Rates:
    each = dict.fromkeys(("cd", "dvd", "bd"), speed)
    return Rates(write=each, verify=each, link=link, load=load)


def writer(
    name: str,
    drives: int = 1,
    formats: tuple[str, ...] = ("cd",),
    *,
    cached: tuple[str, ...] = (),
    blanks: Mapping[str, int] | None = None,
    speed: float = 10 * MB,
    busy_until: float = 0.0,
    outstanding: int = 0,
    by_hand: float = 0.0,
    names_drives: tuple[str, ...] = (),
    disk: int | None = None,
    silent: bool = False,
) -> WriterView:
    return WriterView(
        id=name,
        drives=tuple(DriveView(f"d{n + 1}", frozenset(formats), busy_until, by_hand) for n in range(drives)),
        rates=rates(speed),
        cached=frozenset(cached),
        blanks=blanks or {},
        outstanding=outstanding,
        names_drives=frozenset(names_drives),
        disk=disk,
        silent=silent,
    )


def job(
    name: str,
    image: str = "image-a",
    copies: int = 1,
    *,
    format: str = "cd",
    size: int = 100 * MB,
    received_at: float = 0.0,
    sequence: int = 0,
    image_ready_at: float | None = 0.0,
    avoid: tuple[str, ...] = (),
) -> JobView:
    return JobView(
        id=name,
        image=image,
        bytes=size,
        format=format,
        copies=copies,
        received_at=received_at,
        sequence=sequence,
        image_ready_at=image_ready_at,
        avoid=frozenset(avoid),
    )


formats = st.sampled_from(["cd", "dvd"])


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Any small queue on any small fleet."""
    writers = tuple(
        writer(
            f"writer-{number}",
            draw(st.integers(1, 3)),
            tuple(draw(st.sets(formats, min_size=1))),
            cached=tuple(draw(st.sets(st.sampled_from(["image-a", "image-b"])))),
            blanks=draw(st.dictionaries(formats, st.integers(0, 6))),
            speed=draw(st.sampled_from([2 * MB, 10 * MB])),
            busy_until=draw(st.sampled_from([0.0, 500.0])),
            outstanding=draw(st.integers(0, 4)),
            by_hand=draw(st.sampled_from([0.0, 0.0, 120.0])),
            names_drives=tuple(draw(st.sets(formats, max_size=1))),
            disk=draw(st.sampled_from([None, None, 100 * MB])),
            silent=draw(st.sampled_from([False, False, False, True])),
        )
        for number in range(draw(st.integers(0, 4)))
    )
    images = ("image-a", "image-b", "image-c")
    sizes = {image: draw(st.sampled_from([MB, 600 * MB])) for image in images}
    ready = {image: draw(st.sampled_from([0.0, 0.0, 900.0, None])) for image in images}
    jobs = tuple(
        job(
            f"job-{number}",
            image := draw(st.sampled_from(images)),
            draw(st.integers(1, 8)),
            format=draw(formats),
            size=sizes[image],
            received_at=float(draw(st.integers(0, 3))),
            sequence=number,
            image_ready_at=ready[image],
            avoid=tuple(draw(st.sets(st.sampled_from(["writer-0", "writer-1"])))),
        )
        for number in range(draw(st.integers(0, 6)))
    )
    return Snapshot(jobs, writers)
