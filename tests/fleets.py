"""Writers in every state, made by the reports that bring them there: for pages, and for whoever wants a whole fleet."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from devices import lifecycle, reports, silence
from devices.agent import wire
from devices.intake import add_writer
from devices.models import BlankBin, Disc, Drive, Sighting, Write, Writer
from devices.serials import new_serial

WHO = "user:1 anna"


def drive(ident: str = "d1", **said: Any) -> wire.DriveFact:
    values: dict[str, Any] = {
        "id": ident,
        "role": wire.Role.COPIER,
        "feed": wire.Feed.ROBOT,
        "formats": ("cd", "dvd"),
        "kinds": ("CD-R", "DVD-R", "DVD+R"),
        "state": wire.DriveState.IDLE,
    }
    return wire.DriveFact(**(values | said))


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


@dataclass
class Unit:
    """A writer and what its agent says next."""

    writer: Writer
    now: dt.datetime
    says: dict[str, Any] = field(default_factory=dict)
    sequence: int = 0
    journal: Any = field(default_factory=uuid4)
    boot: Any = field(default_factory=uuid4)

    def report(self, **says: Any) -> Unit:
        self.says |= says
        self.sequence += 1
        images = self.says.get("images", ())
        state = wire.State(
            protocol=wire.PROTOCOL,
            writer=self.writer.uuid,
            name=self.writer.name,
            kind=self.writer.kind,
            software="spindle-agent 0.1.0",
            journal_id=self.journal,
            boot_id=self.boot,
            sequence=self.sequence,
            time=self.now,
            drives=tuple(self.says.get("drives", (drive(),))),
            printers=tuple(self.says.get("printers", ())),
            blanks=tuple(self.says.get("blanks", ())),
            disk=self.says.get("disk", wire.DiskFact(capacity=500 * 10**9, free=320 * 10**9)),
            images=tuple(images),
            images_digest=digest(repr(images)),
            writes=tuple(self.says.get("writes", ())),
        )
        reports.take_report(Writer.objects.get(pk=self.writer.pk), state, self.now)
        self.writer.refresh_from_db()
        return self

    def silent_for(self, seconds: int) -> Unit:
        Writer.objects.filter(pk=self.writer.pk).update(last_seen=self.now - dt.timedelta(seconds=seconds))
        self.writer.refresh_from_db()
        return self

    def bin(self, kind: str = "CD-R", name: str = "Bin 1", *, loaded: int, started: int = 0, **more: Any) -> BlankBin:
        return BlankBin.objects.create(
            writer=self.writer,
            format=wire.FORMAT_OF[kind],
            kind=kind,
            bin=name,
            counted=True,
            loaded=loaded,
            started=started,
            **more,
        )

    def disc(self, state: str, serial: str = "", format_: str = "dvd", title: str = "Nine songs") -> Disc:
        """A disc of a write of its own, in this state."""
        write = Write.objects.create(
            uuid=uuid4(),
            writer=self.writer,
            image_sha256=digest(title),
            image_size=10**9,
            layout="iso",
            format=format_,
            title=title,
            copies=1,
            state="accepted" if state in {"planned", "started"} else "done",
            queued_at=self.now,
            changed_at=self.now,
        )
        return Disc.objects.create(serial=serial or new_serial(), write=write, state=state, drive="d1")


def unit(name: str, now: dt.datetime, kind: str = "xorriso") -> Unit:
    number = "".join(character for character in name if character.isdigit()) or "1"
    new = add_writer(name=name, address=f"http://127.0.0.1:{9100 + int(number)}", kind=kind, now=now)
    return Unit(new.writer, now)


def image(name: str, size: int, used_at: dt.datetime | None) -> wire.ImageFact:
    ready, iso = wire.ImageState.READY, wire.Layout.ISO
    return wire.ImageFact(sha256=digest(name), layout=iso, size=size, state=ready, used_at=used_at)


def busy(name: str, now: dt.datetime) -> Unit:
    """Two drives at work, one waits; blanks for a while."""
    made = unit(name, now)
    made.bin("CD-R", "Bin 1", loaded=200, started=132, good=129, bad=2)
    made.bin("DVD-R", "Bin 2", loaded=100, started=12, good=11)
    first, second = made.disc("started", "4K7P2M9XQR3T"), made.disc("started", "7YB0D3MMW1C9", "cd")
    working = wire.DriveState.BUSY
    return made.report(
        drives=[
            drive("d1", state=working, progress=0.43, serial=first.serial),
            drive("d2", state=working, progress=0.86, serial=second.serial),
            drive("d3"),
        ],
        images=[image("Nine songs", 4_700_000_000, now - dt.timedelta(minutes=3)), image("Old", 650_000_000, None)],
    )


def by_hand(name: str, now: dt.datetime) -> Unit:
    """Drives that a person feeds: one wants a blank, one is to be emptied of a good disc, one of a bad disc."""
    made = unit(name, now)
    to_burn = made.disc("planned", "2QTN8Z4JK0VA")
    good, bad = made.disc("good", "4K7P2M9XQR3S"), made.disc("bad", "9ZD1T5RRM7X2", "cd")
    hand, idle = {"feed": wire.Feed.HAND}, {"state": wire.DriveState.IDLE}
    made.report(
        drives=[
            drive("d1", **hand, **idle, wants="blank", serial=to_burn.serial),
            drive("d2", **hand, **idle, wants="take-out", serial=good.serial),
            drive("d3", **hand, **idle, wants="take-out", serial=bad.serial),
            drive("d4", role=wire.Role.SOURCE, **hand),
        ]
    )
    Drive.objects.filter(writer=made.writer).exclude(wants="").update(wants_since=now - dt.timedelta(minutes=4))
    return made


def stopped(name: str, now: dt.datetime) -> Unit:
    """All its drives stand."""
    stands = {"state": wire.DriveState.STOPPED, "reasons": ("door-open",)}
    return unit(name, now).report(drives=[drive("d1", **stands), drive("d2", **stands)])


def offline(name: str, now: dt.datetime) -> Unit:
    """It was at work when it was heard last."""
    made = busy(name + " at work", now) if Disc.objects.filter(serial="4K7P2M9XQR3T").count() == 0 else unit(name, now)
    Writer.objects.filter(pk=made.writer.pk).update(name=name)
    if not made.says:
        made.report(drives=[drive("d1", state=wire.DriveState.BUSY, progress=0.7), drive("d2")])
    made.silent_for(1000)
    silence.note(now)
    made.writer.refresh_from_db()
    return made


def robot(name: str, now: dt.datetime) -> Unit:
    """Much of everything, and little left: supplies, blanks, disk."""
    supplies = (
        wire.SupplyFact(name="Cyan", percent=62),
        wire.SupplyFact(name="Black", percent=7),
        wire.SupplyFact(name="Ribbon", percent=0),
    )
    made = unit(name, now, "virtual").report(
        drives=[
            drive(f"d{number}", kinds=("CD-R", "DVD-R", "BD-R"), formats=("cd", "dvd", "bd")) for number in range(1, 5)
        ],
        printers=[wire.PrinterFact(id="p1", state="stopped", supplies=supplies)],
        blanks=[
            wire.BlankFact(format="cd", kind="CD-R", bin="Left", remaining=0),
            wire.BlankFact(format="dvd", kind="DVD-R", bin="Right", remaining=4),
            wire.BlankFact(format="bd", kind="BD-R", bin="Top", remaining=87),
        ],
        disk=wire.DiskFact(capacity=500 * 10**9, free=14 * 10**9),
    )
    Drive.objects.filter(writer=made.writer, ident="d2").update(
        discs=1240, failures=9, seconds=410_000, warn_discs=1000
    )
    held = Drive.objects.filter(writer=made.writer, ident="d4")
    held.update(held_for=str(uuid4()), held_by=WHO, held_since=now)
    return made


def lost(name: str, now: dt.datetime) -> Unit:
    """Its agent came back without its journal."""
    made = unit(name, now).report(drives=[drive("d1"), drive("d2")])
    text = "Its agent lost its journal, so discs it had begun are unknown. Inspect them, then resume the writer."
    lifecycle.lose_journal(made.writer, text, now=now, actor="agent")
    return made


def whole_fleet(now: dt.datetime) -> dict[str, Unit]:
    """One of each, by what it is."""
    fleet = {
        "busy": busy("Writer 2", now),
        "by-hand": by_hand("Writer 3", now),
        "stopped": stopped("Writer 4", now),
        "offline": offline("Writer 5", now),
        "suspect": unit("Writer 6", now).report(
            drives=[drive("d1", state=wire.DriveState.BUSY, progress=0.3), drive("d2")]
        ),
        "robot": robot("Writer 7", now),
        "lost": lost("Writer 8", now),
        "never": unit("Writer 9", now),
        "idle": unit("Writer 10, the long bench by the window", now).report(drives=[drive("d1"), drive("d2")]),
        "maintenance": unit("Writer 11", now).report(),
        "off": unit("Writer 12", now).report(),
    }
    fleet["suspect"].silent_for(45)
    lifecycle.drain(fleet["stopped"].writer, who=WHO, why="new lasers come on Friday", now=now)
    lifecycle.start_maintenance(fleet["maintenance"].writer, who=WHO, why="cleaning", now=now)
    Writer.objects.filter(pk=fleet["off"].writer.pk).update(enabled=False)
    return fleet


def sightings(now: dt.datetime) -> None:
    counts = {"disks": 1, "sources": 1, "copiers": 2}
    times = {"first_seen": now, "last_seen": now, "by": "mdns"}
    Sighting.objects.create(address="http://192.168.7.20:9101", name="Back room PC", kind="xorriso", **counts, **times)
    Sighting.objects.create(address="http://192.168.7.31:9101", name="Tower 2", writer_uuid=uuid4(), **counts, **times)
