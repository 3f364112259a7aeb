"""Copies by hand against everything that can happen below them, in any order; the plainest model is their rows.

What an agent would say is written by devices' own lifecycle; nobody calls one here.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from archive.models import Image, ImageState
from devices import lifecycle as below
from devices.intake import ImageRef, NotAccepted
from devices.models import Disc, Drive, ImageRequest, Read, Write, Writer
from devices.states import DISC_FINAL, READ_FINAL, WRITE_FINAL, DiscState, ReadState, RequestState, WriteState
from devices.trouble import NotTried
from devices.wishes import drop_image
from fulfillment import progress
from fulfillment.console import intake
from fulfillment.console import progress as console
from fulfillment.console.intake import Wanted
from fulfillment.console.steps import step
from fulfillment.models import Copy, CopyWrite, ImageFetch
from tests.life.series import Life
from tests.scene import NOW, make_image

ANNA: Final = "user:1 anna"
ANY = st.integers(0, 1000)
ENDS = st.sampled_from([DiscState.GOOD, DiscState.GOOD, DiscState.BAD, DiscState.UNKNOWN])


@dataclass(frozen=True, slots=True)
class Seen:
    """How a copy ended, when that was first seen."""

    state: str
    reason: str


class CopyLife(Life):
    """Two writers, each with two copiers and a source drive."""

    def begin(self) -> None:
        self.now = NOW
        self.asked: list[Wanted] = []
        self.ends: dict[Any, Seen] = {}
        for name in ("Writer 1", "Writer 2"):
            writer = Writer.objects.create(name=name, address="http://127.0.0.1:9", state="idle", created_at=NOW)
            for ident, role in (("d1", "copier"), ("d2", "copier"), ("s1", "source")):
                Drive.objects.create(writer=writer, ident=ident, role=role, state="idle", formats=["cd"])

    def one(self, rows: Any, at: int) -> Any:
        """One of these rows, or none."""
        found = list(rows.order_by("pk")[:20])
        return found[at % len(found)] if found else None

    # --- At the console ---------------------------------------------------------------------------

    @initialize()
    def first(self) -> None:
        self.start(0, "title", 1, 2)

    @rule(at=ANY, origin=st.sampled_from(["title", "drive"]), drives=st.integers(1, 3), copies=st.integers(1, 3))
    def start(self, at: int, origin: str, drives: int, copies: int) -> None:
        self.now += dt.timedelta(seconds=1)
        Writer.objects.update(last_seen=self.now)
        writer, source = Writer.objects.order_by("pk")[at % 2], Writer.objects.order_by("pk")[at // 2 % 2]
        image = make_image()
        from_drive = origin == "drive"
        wanted = Wanted(
            key=uuid4(),
            writer=writer,
            what=f"{origin}:{at}",
            drives=tuple(ident for bit, ident in ((1, "d1"), (2, "d2")) if drives & bit),
            format="cd",
            copies=copies,
            title="Nine songs",
            origin=Copy.Origin(origin),
            image=None if from_drive else ImageRef(str(image.sha256), int(image.size or 0), "iso"),
            source=(source, "s1") if from_drive else None,
        )
        before = Copy.objects.count()
        try:
            intake.start(wanted, actor=ANNA, email="", now=self.now)
        except NotAccepted:
            assert Copy.objects.count() == before, "nothing is left of what was refused"
        else:
            self.asked.append(wanted)

    @precondition(lambda self: self.asked)
    @rule(at=ANY)
    def click_again(self, at: int) -> None:
        wanted = self.asked[at % len(self.asked)]
        assert intake.start(wanted, actor=ANNA, email="", now=self.now).pk == wanted.key

    @rule(at=ANY)
    def cancel(self, at: int) -> None:
        if copy := self.one(Copy.objects.all(), at):
            intake.cancel(copy, actor=ANNA, now=self.now)

    @rule(at=ANY, away=st.booleans())
    def give_up(self, at: int, away: bool) -> None:
        Writer.objects.update(state="offline" if away else "idle")
        if copy := self.one(Copy.objects.select_related("writer", "source_writer"), at):
            intake.give_up(copy, actor=ANNA, now=self.now)
        Writer.objects.update(state="idle")

    @rule(at=ANY)
    def seen(self, at: int) -> None:
        if copy := self.one(Copy.objects.all(), at):
            intake.acknowledge(copy, actor=ANNA, now=self.now)

    # --- Time -------------------------------------------------------------------------------------

    @rule()
    def tick(self) -> None:
        self.now += dt.timedelta(seconds=2)
        progress.read_writes(self.now)
        console.run(self.now)

    @rule(at=ANY, end=ENDS)
    def all_goes_on(self, at: int, end: DiscState) -> None:
        """What the plant does while nothing fails, so that lives get beyond their beginning."""
        self.tick()
        self.read_ends(at, ReadState.DONE, False)
        self.tick()
        self.fetch_ends(at, True)
        self.tick()
        self.request_ends(at, RequestState.DONE)
        self.tick()
        self.write_goes_on(at, False)
        self.write_goes_on(at, False)
        self.disc_ends(at, end)

    @rule(at=ANY)
    def a_tick_that_slept(self, at: int) -> None:
        """It read a copy; the next one does all its work before the first goes on."""
        stale = self.one(Copy.objects.select_related("writer"), at)
        self.tick()
        with contextlib.suppress(NotTried):
            step(stale, self.now)

    # --- What comes from below --------------------------------------------------------------------

    @rule(at=ANY, end=st.sampled_from([RequestState.DONE, RequestState.DONE, RequestState.FAILED]))
    def request_ends(self, at: int, end: RequestState) -> None:
        if request := self.one(ImageRequest.objects.filter(state=RequestState.OPEN), at):
            ImageRequest.objects.filter(pk=request.pk).update(state=end, ended_at=self.now, reason="As the agent said.")

    @rule(at=ANY)
    def somebody_purges(self, at: int) -> None:
        if request := self.one(ImageRequest.objects.filter(state=RequestState.OPEN), at):
            image = ImageRef(request.sha256, request.size, request.layout)
            drop_image(request.writer, image, title="", actor="user:2 bert", now=self.now)

    @rule(at=ANY, end=st.sampled_from([ReadState.DONE, ReadState.DONE, ReadState.FAILED]), large=st.booleans())
    def read_ends(self, at: int, end: ReadState, large: bool) -> None:
        read = self.one(Read.objects.exclude(state__in=READ_FINAL), at)
        if read is None:
            return
        if read.state == ReadState.QUEUED and not below.move_read(read, ReadState.SENT, now=self.now, actor="tick"):
            return  # it was cancelled
        image = {"sha256": "cd" * 32, "size": 900_000_000 if large else 40_960, "layout": "iso"}
        below.move_read(read, end, now=self.now, actor="agent", reason="As the agent said.", **image)

    @rule(at=ANY, whole=st.booleans())
    def fetch_ends(self, at: int, whole: bool) -> None:
        fetch = self.one(ImageFetch.objects.filter(state__in=ImageFetch.OPEN), at)
        if fetch is None:
            return
        lease = {"lease_owner": "", "lease_until": None}
        ImageFetch.objects.filter(pk=fetch.pk).update(state="ready" if whole else "failed", reason="No.", **lease)
        if whole:
            values = {"size": fetch.size, "state": ImageState.READY, "recipe": fetch.sha256, "source": "x"}
            Image.objects.get_or_create(sha256=fetch.sha256, defaults=values | {"created_at": NOW})

    @rule(at=ANY, refused=st.booleans())
    def write_goes_on(self, at: int, refused: bool) -> None:
        write = self.one(Write.objects.filter(state__in=[WriteState.QUEUED, WriteState.SENT]), at)
        if write is None:
            return
        if write.state == WriteState.QUEUED:
            below.move_write(write, WriteState.SENT, now=self.now, actor="tick")
        elif refused:
            below.drop_write(write, now=self.now, actor="tick", reason="serial-used", problem="serial-used")
        else:
            below.move_write(write, WriteState.ACCEPTED, now=self.now, actor="agent")

    @rule(at=ANY, end=ENDS)
    def disc_ends(self, at: int, end: DiscState) -> None:
        rows = Disc.objects.exclude(state__in=DISC_FINAL).filter(write__state__in=[WriteState.ACCEPTED])
        if disc := self.one(rows.select_related("write"), at):
            below.move_disc(disc, end, now=self.now, actor="agent")
            below.finish_write(Write.objects.get(pk=disc.write_id), now=self.now, actor="agent")

    @rule(at=ANY)
    def write_is_cancelled_there(self, at: int) -> None:
        rows = Write.objects.filter(cancel_requested=True).exclude(state__in=WRITE_FINAL)
        if write := self.one(rows, at):
            below.give_up_planned(write, now=self.now, actor="agent", reason="")
            below.finish_write(Write.objects.get(pk=write.pk), now=self.now, actor="agent")

    # --- What always holds ------------------------------------------------------------------------

    def check(self) -> None:
        for copy in Copy.objects.all():
            held = set(Drive.objects.filter(held_for=str(copy.pk), role="copier").values_list("ident", flat=True))
            assert held == (set(copy.drives) if copy.is_open else set()), "held from the first moment to the end"
            assert bool(copy.ended_at) == (not copy.is_open)
            parts = CopyWrite.objects.filter(copy=copy).select_related("write")
            assert len({part.write.drive for part in parts}) == len(parts), "one write for each drive"
            assert sum(part.write.copies for part in parts) in {0, copy.copies}
            if not copy.is_open:
                self._check_end(copy)

    def _check_end(self, copy: Copy) -> None:
        assert copy.reason
        end = self.ends.setdefault(copy.pk, Seen(copy.state, copy.reason))
        assert end == Seen(copy.state, copy.reason), "an end is for ever"
        discs = Disc.objects.filter(write__copy_part__copy=copy)
        if copy.state == Copy.State.DONE:
            assert [disc.state for disc in discs] == ["good"] * copy.copies

    def end(self) -> None:
        """Nothing fails any more: every copy comes to an end, and nothing stays held."""
        for _ in range(12):
            self.tick()
            for at in range(8):
                self.request_ends(at, RequestState.DONE)
                self.read_ends(at, ReadState.DONE, False)
                self.fetch_ends(at, True)
                self.write_goes_on(at, False)
                self.write_goes_on(at, False)
                self.write_is_cancelled_there(at)
                self.disc_ends(at, DiscState.GOOD)
        self.tick()
        self.check()
        assert not Copy.objects.filter(state__in=Copy.OPEN).exists()
        assert not Drive.objects.exclude(held_for="").exists()
        assert not ImageFetch.objects.filter(state__in=ImageFetch.OPEN).exists()
