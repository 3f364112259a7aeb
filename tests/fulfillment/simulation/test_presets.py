"""The presets: what each promises of its plant and its orders."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from fulfillment.simulation.builders import DAY, HOUR
from fulfillment.simulation.capacity import disc_seconds, orders_per_second
from fulfillment.simulation.presets import OPENS, PRESETS, backlog, half_down, night, peak, reference, small
from fulfillment.simulation.reading import dump, read
from fulfillment.simulation.workload import Image, Line, Order, Workload, Writer


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_file_that_can_be_run(name: str) -> None:
    workload = PRESETS[name](1)
    assert read(dump(workload)) == workload


@pytest.mark.parametrize("name", PRESETS)
def test_a_seed_makes_the_same_workload_again_and_another_seed_another(name: str) -> None:
    assert PRESETS[name](1) == PRESETS[name](1) != PRESETS[name](2)


def test_the_reference_is_what_it_says() -> None:
    workload = reference(1)
    formats = Counter(image.format for image in workload.images)
    assert (len(workload.writers), len(workload.images), len(workload.orders)) == (100, 1_000, 10_000)
    assert {writer.drives for writer in workload.writers} == {1, 2, 3, 4, 6, 8}
    assert [round(formats[name] / 100) for name in ("cd", "dvd", "bd")] == [4, 5, 1]
    assert all(writer.drives >= 4 for writer in workload.writers if "bd" in writer.formats)
    assert 0 < sum(len(writer.formats) == 1 for writer in workload.writers) < 10
    copies = [line.copies for order in workload.orders for line in order.lines]
    assert (min(copies), max(copies)) == (1, 100)
    assert sum(copies) / len(copies) == pytest.approx(4.8, rel=0.1)
    assert sum(copy <= 5 for copy in copies) > 0.8 * len(copies)
    assert sum(len(order.lines) == 1 for order in workload.orders) > 0.9 * len(workload.orders)
    assert all(0.5 * HOUR <= _due(order) - order.at <= 8 * HOUR for order in workload.orders)


def test_the_wanted_titles_follow_zipf() -> None:
    workload = reference(1)
    wanted = Counter(line.image for order in workload.orders for line in order.lines)
    first, tenth = wanted[workload.images[0].id], wanted[workload.images[9].id]
    assert first / tenth == pytest.approx(10, rel=0.25)


def test_caches_are_28_per_cent_warm() -> None:
    workload = reference(1)
    size = {image.id: image.bytes for image in workload.images}
    held = sum(size[name] for writer in workload.writers for name in writer.cached)
    assert held / sum(writer.cache_bytes for writer in workload.writers) == pytest.approx(0.28, abs=0.01)


@pytest.mark.parametrize("load", [0.7, 1.0, 1.2])
def test_orders_come_at_the_load_that_was_asked_for(load: float) -> None:
    workload = reference(1, load=load, orders=4_000, writers=20)
    lines = [order.lines for order in workload.orders]
    most = orders_per_second(workload.writers, workload.images, lines)
    assert len(lines) / workload.orders[-1].at / most == pytest.approx(load, rel=0.05)


def test_capacity_for_one_format_is_the_drives_over_a_discs_time() -> None:
    image, other = Image("a", 700_000_000, "cd"), Image("b", 4_000_000_000, "dvd")
    only_cd = Writer("w1", 2, ("cd",), {"cd": 7e6}, {"cd": 7e6}, load_s=10)
    both = Writer("w2", 1, ("cd", "dvd"), {"cd": 7e6, "dvd": 2e7}, {"cd": 7e6, "dvd": 2e7}, load_s=10)
    assert disc_seconds(only_cd, image) == 210
    assert orders_per_second([only_cd], [image], [[Line("a", 3)]]) == pytest.approx(2 / 210 / 3)
    # Each order a CD and a DVD: the second writer is best left to its DVDs, of 410 s each.
    both_lines = [[Line("a", 1), Line("b", 1)]]
    assert orders_per_second([only_cd, both], [image, other], both_lines) == pytest.approx(1 / 410, rel=1e-3)


def test_small_has_three_writers_one_of_a_single_slow_drive() -> None:
    writers = small(1).writers
    slow = min(writers, key=lambda writer: writer.write_rate["dvd"])
    assert (len(writers), slow.drives) == (3, 1)
    assert all(writer.drives > 1 for writer in writers if writer is not slow)


def test_peak_swings_by_the_day() -> None:
    orders = peak(1).orders
    by_quarter = Counter(int(order.at % DAY // (6 * HOUR)) for order in orders if order.at < DAY)
    assert by_quarter[1] + by_quarter[2] > 2 * (by_quarter[0] + by_quarter[3])


def test_by_night_nobody_loads_blanks() -> None:
    workload = night(1)
    clock = {(refill.at / HOUR + OPENS) % 24 for refill in workload.refills}
    assert all(6 <= hour < 22 for hour in clock)
    assert clock
    assert all(set(writer.blanks) == set(writer.formats) for writer in workload.writers)


def test_half_down_takes_out_half_of_each_model_from_hour_2_to_hour_6() -> None:
    workload = half_down(1, writers=96)
    out = {outage.writer for outage in workload.outages}
    drives = Counter((writer.drives, writer.id in out) for writer in workload.writers)
    assert {(outage.begins, outage.ends) for outage in workload.outages} == {(2 * HOUR, 6 * HOUR)}
    assert all(drives[size, True] == drives[size, False] == 8 for size in (1, 2, 3, 4, 6, 8))


def test_a_backlog_is_all_there_at_0() -> None:
    workload = backlog(1, orders=500)
    assert {order.at for order in workload.orders} == {0}
    assert len(workload.orders) == 500
    assert {writer.drives for writer in workload.writers} == set(range(1, 9))


def test_the_command_writes_a_file_that_reads_as_the_preset(tmp_path: Path) -> None:
    file = tmp_path / "small.json"
    call_command("workload", preset="small", seed=7, out=file)
    assert read(file.read_bytes()) == small(7)


def test_the_command_says_which_file_it_could_not_write(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"^out: .*none/small\.json cannot be written: No such file"):
        call_command("workload", preset="small", out=tmp_path / "none" / "small.json")


def test_the_command_writes_to_the_standard_output_where_no_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("workload", preset="small", seed=7)
    assert _read(capsys) == small(7)


def _read(capsys: pytest.CaptureFixture[str]) -> Workload:
    return read(capsys.readouterr().out)


def _due(order: Order) -> float:
    assert order.due is not None
    return order.due
