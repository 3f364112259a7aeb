"""The ledger: whatever is reported in whatever order, every blank is accounted for."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices import blanks, reports, stocktaking
from devices.agent import wire
from devices.models import BlankBin, BlankEntry, DeviceEvent, Disc, Write, Writer
from tests.devices.conftest import Plant, serials

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

CD = {"format": "cd", "kind": "CD-R", "bin": "d1"}
FINAL = [wire.DiscState.GOOD, wire.DiscState.BAD, wire.DiscState.UNKNOWN]


def hopper(plant: Plant, remaining: int | None) -> BlankBin:
    plant.agent.blanks = [wire.BlankFact(**CD, remaining=remaining)]
    plant.agent.sequence += 1
    plant.report()
    return BlankBin.objects.get(**CD)


def assert_conserved() -> None:
    for bin_ in BlankBin.objects.all():
        booked = dict(bin_.entries.values_list("column").annotate(total=Sum("change")).order_by())
        assert bin_.loaded == booked.get("loaded", 0)
        assert bin_.adjusted == booked.get("adjusted", 0)
        assert bin_.remaining == bin_.loaded + bin_.adjusted - bin_.started
        spent = Disc.objects.filter(bin=bin_)
        assert bin_.started == spent.count()
        for result in ("good", "bad", "unknown"):
            assert getattr(bin_, result) == spent.filter(state=result).count()
        under_way = spent.filter(state="started").count()
        assert bin_.started == bin_.good + bin_.bad + bin_.unknown + under_way


def test_machines_count_is_booked_as_its_own_entry(plant: Plant) -> None:
    bin_ = hopper(plant, 100)
    assert (bin_.remaining, bin_.counted, bin_.by_machine) == (100, True, True)
    entry = BlankEntry.objects.get()
    assert (entry.column, entry.change, entry.by, entry.why) == ("adjusted", 100, "agent", "reported by agent")


def test_started_disc_spends_the_blank_of_its_drive_without_an_entry(plant: Plant) -> None:
    plant.agent.blanks = [wire.BlankFact(**(CD | {"bin": "d2"}), remaining=50)]
    hopper(plant, 100)
    plant.agent.blanks.append(wire.BlankFact(**(CD | {"bin": "d2"}), remaining=50))
    write = plant.accepted(2)
    assert blanks.reserved(plant.writer) == {"cd": 2}
    plant.agent.set_disc(serials(write)[0], wire.DiscState.STARTED)
    plant.agent.blanks[0] = wire.BlankFact(**CD, remaining=99)
    plant.report()
    bin_ = BlankBin.objects.get(**CD)
    assert (bin_.started, bin_.remaining, bin_.adjusted) == (1, 99, 100)
    assert BlankBin.objects.get(bin="d2").started == 0
    assert blanks.reserved(plant.writer) == {"cd": 1}
    assert_conserved()


def test_bin_that_nobody_counts_has_no_number(plant: Plant) -> None:
    bin_ = hopper(plant, None)
    assert (bin_.counted, bin_.by_machine, BlankEntry.objects.count()) == (False, False, 0)
    blanks.load(bin_, 50, by="user:1 Anna", why="a new spindle", now=plant.clock.now)
    bin_ = hopper(plant, None)
    assert (bin_.counted, bin_.remaining) == (True, 50)
    assert_conserved()


def test_a_zero_that_a_person_counted_stands(plant: Plant) -> None:
    bin_ = hopper(plant, None)
    stocktaking.count(bin_, 0, by="user:1 Anna", why="looked", now=plant.clock.now)
    bin_ = hopper(plant, None)
    assert (bin_.counted, bin_.remaining, plant.keywords()) == (True, 0, ["media-empty"])


def test_a_bin_that_its_machine_counts_no_more_has_no_number(plant: Plant) -> None:
    assert hopper(plant, 10).counted
    assert not hopper(plant, None).counted


def test_machine_corrects_what_a_person_said(plant: Plant) -> None:
    bin_ = hopper(plant, 10)
    blanks.load(bin_, 50, by="user:1 Anna", why="a new spindle", now=plant.clock.now)
    bin_ = hopper(plant, 58)
    assert (bin_.loaded, bin_.adjusted, bin_.remaining) == (50, 8, 58)


def test_bin_that_is_no_longer_reported_is_empty(plant: Plant) -> None:
    hopper(plant, 10)
    plant.agent.blanks = []
    plant.report()
    bin_ = BlankBin.objects.get(**CD)
    assert bin_.remaining == 0
    assert bin_.entries.first().why == "no longer reported by agent"  # type: ignore[union-attr]  # there is one
    assert_conserved()


def test_empty_bins_are_a_reason_until_they_are_filled(plant: Plant) -> None:
    hopper(plant, 0)
    assert plant.keywords() == ["media-empty"]
    assert plant.writer.reasons[0]["text"] == "No CD blanks are left in Writer 1. Load some."
    hopper(plant, 1)
    assert plant.keywords() == ["media-low"]
    assert plant.writer.reasons[0]["text"] == "Only 1 CD blank is left in Writer 1. Load some soon."
    hopper(plant, 11)
    assert plant.keywords() == []


def test_low_is_what_a_person_says_it_is(plant: Plant) -> None:
    for low, keywords in ((None, []), (3, []), (4, ["media-low"])):
        Writer.objects.update(low_blanks=low)
        hopper(plant, 4)
        assert plant.keywords() == keywords


def test_blanks_of_an_unknown_format_are_passed_over(plant: Plant) -> None:
    plant.agent.blanks = [wire.BlankFact(format="mo", kind="MO", bin="d1", remaining=3)]
    plant.report()
    assert not BlankBin.objects.exists()


def test_disc_that_was_never_started_costs_no_blank(plant: Plant) -> None:
    hopper(plant, 10)
    write = plant.accepted()
    plant.agent.set_disc(
        serials(write)[0], wire.DiscState.BAD, started_at=None, blame=wire.Blame.JOB, reason="no drive takes it"
    )
    plant.report()
    bin_ = BlankBin.objects.get(**CD)
    assert (bin_.started, bin_.bad, bin_.remaining) == (0, 0, 10)
    assert_conserved()


def test_blanks_spoilt_by_a_robot_are_booked(plant: Plant) -> None:
    hopper(plant, 10)
    write = plant.accepted()
    plant.agent.set_disc(serials(write)[0], wire.DiscState.GOOD, verified=wire.Verified.MACHINE, spoilt=2)
    plant.agent.blanks = [wire.BlankFact(**CD, remaining=7)]
    plant.report()
    bin_ = BlankBin.objects.get(**CD)
    assert (bin_.started, bin_.good, bin_.remaining) == (1, 1, 7)
    assert bin_.entries.count() == 2
    assert_conserved()


def test_lost_journal_counts_its_unknown_discs(plant: Plant) -> None:
    hopper(plant, 10)
    write = plant.accepted(3)
    plant.agent.set_disc(serials(write)[0], wire.DiscState.STARTED)
    plant.report()
    plant.agent.lose_journal()
    with pytest.raises(reports.ReportRefused):
        plant.report()
    bin_ = BlankBin.objects.get(**CD)
    assert (bin_.started, bin_.unknown) == (3, 3)
    assert_conserved()


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, Any]]:
    """What happens to six discs and one hopper, and which of the reports arrive when, and how often."""
    step = st.one_of(
        st.tuples(st.just("start"), st.integers(0, 5)),
        st.tuples(st.just("end"), st.tuples(st.integers(0, 5), st.sampled_from(FINAL), st.integers(0, 2))),
        st.tuples(st.just("recount"), st.one_of(st.none(), st.integers(0, 20))),
        st.tuples(st.just("load"), st.integers(-5, 30)),
        st.tuples(st.just("report"), st.just(None)),
        st.tuples(st.just("repeat"), st.integers(0, 30)),
        st.tuples(st.just("restart"), st.just(None)),
    )
    return draw(st.lists(step, max_size=30))


class _History:
    """Plays one history against the server, by the agent's states alone."""

    def __init__(self, plant: Plant) -> None:
        self.plant = plant
        self.agent = plant.agent
        self.write = plant.accepted(6)
        self.serials = serials(self.write)
        self.sent: list[wire.State] = []

    def start(self, number: int) -> None:
        if self._disc(number).state == wire.DiscState.PLANNED:
            self.agent.set_disc(self.serials[number], wire.DiscState.STARTED)

    def end(self, what: tuple[int, wire.DiscState, int]) -> None:
        number, result, spoilt = what
        if self._disc(number).state in {wire.DiscState.PLANNED, wire.DiscState.STARTED}:
            verified = wire.Verified.DIGEST if result == wire.DiscState.GOOD else wire.Verified.NONE
            self.agent.set_disc(self.serials[number], result, verified=verified, spoilt=spoilt)

    def recount(self, remaining: int | None) -> None:
        self.agent.blanks = [wire.BlankFact(**CD, remaining=remaining)]
        self.agent.sequence += 1

    def load(self, change: int) -> None:
        if bin_ := BlankBin.objects.filter(**CD).first():
            blanks.load(bin_, change, by="user:1 Anna", why="", now=self.plant.clock.now)

    def report(self, _: None) -> None:
        self.sent.append(self.agent.state())
        self.plant.report(self.sent[-1])

    def repeat(self, number: int) -> None:
        """An earlier report of this boot arrives again, or late."""
        same_boot = [state for state in self.sent if state.boot_id == self.plant.writer.boot_id]
        if same_boot:
            before = list(Disc.objects.order_by("pk").values())
            reports.take_report(self.plant.writer, same_boot[number % len(same_boot)], self.plant.clock.now)
            assert list(Disc.objects.order_by("pk").values()) == before

    def restart(self, _: None) -> None:
        self.agent.restart()

    def _disc(self, number: int) -> wire.DiscResult:
        return self.agent.writes[self.write.uuid].discs[self.serials[number]]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=histories())
def test_ledger_is_conserved_over_any_history(plant: Plant, steps: list[tuple[str, Any]]) -> None:
    _begin_anew(plant)
    history = _History(plant)
    for verb, argument in steps:
        getattr(history, verb)(argument)
        assert_conserved()
    history.agent.recorded.clear()
    history.report(None)
    assert_conserved()
    told = history.agent.writes[history.write.uuid].discs
    for disc in Disc.objects.filter(write=history.write):
        assert disc.state == told[disc.serial].state


def _begin_anew(plant: Plant) -> None:
    """Hypothesis runs many histories in one test: each with a new journal and empty bins."""
    Disc.objects.all().delete()
    DeviceEvent.objects.all().delete()
    Write.objects.all().delete()
    BlankBin.objects.all().delete()
    plant.agent.lose_journal()
    plant.agent.blanks = []
    plant.agent.journal_id = uuid4()
    Writer.objects.update(journal_id=None, boot_id=None, sequence=0)
    plant.report()
