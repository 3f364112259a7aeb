"""`manage.py writer`: add a writer and print its agent.toml once; list writers; rotate tokens; let unknown work go."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from pydantic import TypeAdapter, ValidationError

from devices import enrolment, foreign, lifecycle, rotation, tokens
from devices.agent import wire
from devices.agent_toml import AgentToml, DriveEntry, render
from devices.intake import NewWriter, NotAccepted, add_writer, check_address
from devices.models import Writer
from devices.text import clean

DEVICE = "stdio:discs/{serial}.img"
SPEED: Final[TypeAdapter[str | None]] = TypeAdapter(wire.Speed | None)


class Command(BaseCommand):
    help = "Adds, lists and rotates writers (machines that write discs)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        add = verbs.add_parser("add", help="Makes a writer and prints its whole agent.toml, once.")
        add.add_argument("name")
        add.add_argument("--address", required=True, help="Where its agent will listen: http://127.0.0.1:9101")
        add.add_argument("--kind", default="xorriso", help="The agent's driver (default: xorriso).")
        add.add_argument(
            "--drive",
            action="append",
            dest="devices",
            metavar="DEVICE",
            help=f"/dev/sr0, or a pseudo-drive such as {DEVICE}; repeat it per drive. Default: two pseudo-drives.",
        )
        add.add_argument(
            "--source",
            action="append",
            dest="sources",
            metavar="DEVICE",
            default=[],
            help="A drive that reads discs in.",
        )
        add.add_argument(
            "--feed", choices=["robot", "hand"], default="robot", help="Who feeds the drives (default: %(default)s)."
        )
        add.add_argument("--kinds", default="CD-R,DVD-R", help="Media that the drives take, with commas.")
        add.add_argument("--speed", help="As xorriso takes it, for example 52c; default: as fast as it goes.")
        add.add_argument("--blanks", type=int, help="Blanks in each drive's hopper; default: nobody counts.")
        add.add_argument("--server", default=settings.SPINDLE_BASE_URL, help="What the agent calls: %(default)s.")
        code = verbs.add_parser("code", help="A code with which an agent enrols by itself: once, within 15 minutes.")
        code.add_argument("--name", default="", help="What the writer is to be called; default: what its agent says.")
        code.add_argument(
            "--for", dest="writer", help="Enrol the agent of this writer anew: its former tokens end then."
        )
        revoke = verbs.add_parser("revoke", help="Ends a writer's tokens: it is not heard and not called any more.")
        revoke.add_argument("name")
        revoke.add_argument("--why", default="", help="For whoever finds it switched off.")
        revoke.add_argument(
            "--lost", action="store_true", help="It will not come back: its discs under way are unknown and made anew."
        )
        verbs.add_parser("list", help="Shows all writers, their state and what they wait for.")
        rotate = verbs.add_parser("rotate", help="Gives the agent new tokens with its next report.")
        rotate.add_argument("name")
        seen = verbs.add_parser("acknowledge", help="The discs of work that this server never gave were seen to.")
        seen.add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        verbs = {
            "code": self._code,
            "revoke": self._revoke,
            "add": self._add,
            "list": self._list,
            "rotate": self._rotate,
            "acknowledge": self._acknowledge,
        }
        verbs[options["verb"]](options)

    def _add(self, options: dict[str, Any]) -> None:
        drives = _drives(options)  # everything is checked before the row is made
        try:
            target = check_address(options["address"])
            new = add_writer(name=options["name"], address=options["address"], kind=options["kind"], now=timezone.now())
        except NotAccepted as refused:
            raise CommandError(f"{refused.field}: {refused.text}") from refused
        host = f"[{target.ip}]" if ":" in target.ip else target.ip
        tls = target.address.scheme == "https"
        toml = _toml(new, f"{host}:{target.address.port}", options["server"], drives, tls)
        self.stdout.write(toml, ending="")
        self.stderr.write(f"Added {new.writer}. Keep what stands above as agent.toml: its token is shown only now.")

    def _code(self, options: dict[str, Any]) -> None:
        writer = _named(options["writer"]) if options["writer"] else None
        try:
            code = enrolment.new_code(who="operator", now=timezone.now(), name=options["name"], for_writer=writer)
        except NotAccepted as refused:
            raise CommandError(f"{refused.field}: {refused.text}") from refused
        self.stdout.write(f"{code}  (once, within 15 minutes). On the writer's machine:")
        self.stdout.write(f"    {enrolment.command_line(code)}{' --again' if writer else ''}")

    def _revoke(self, options: dict[str, Any]) -> None:
        writer, now = _named(options["name"]), timezone.now()
        why = clean(options["why"].strip(), 200)
        if not lifecycle.revoke(writer, who="operator", why=why, now=now) and not options["lost"]:
            raise CommandError(f"The tokens of {writer} were revoked before.")
        if options["lost"]:
            text = f"{writer} was given up with discs under way; nobody knows how far they got."
            lifecycle.lose_journal(writer, text, now=now, actor="operator")
        self.stdout.write(f"{writer} is heard and called no more. To bring it back: writer code --for {writer.name!r}.")

    def _list(self, options: dict[str, Any]) -> None:
        for writer in Writer.objects.prefetch_related("drives"):
            drives = sum(not drive.gone for drive in writer.drives.all())
            flags = [flag for flag in ("draining", "maintenance") if getattr(writer, flag)]
            flags += [] if writer.enabled else ["revoked" if writer.revoked else "switched off"]
            flags += ["new tokens not used yet"] if rotation.is_under_way(writer) else []
            head = ", ".join([writer.state, *flags])
            self.stdout.write(f"{writer.name}  {writer.address}  {head}  {drives} drives  {writer.uuid}")
            for reason in writer.reasons:
                self.stdout.write(f"    {reason['keyword']}: {reason['text']}")

    def _acknowledge(self, options: dict[str, Any]) -> None:
        writer = _named(options["name"])
        count, going = foreign.acknowledge(writer, who="operator", now=timezone.now())
        self.stdout.write(f"{count} writes of {writer} that this server never gave are seen to.")
        if going:
            self.stdout.write(f"{going} more are not over: see to their discs when they are, then acknowledge again.")

    def _rotate(self, options: dict[str, Any]) -> None:
        writer = _named(options["name"])
        if not rotation.rotate(writer, who="operator", now=timezone.now()):
            raise CommandError(f"The last rotation of {writer} is not through: its agent has not used the new tokens.")
        self.stdout.write(f"{writer} gets new tokens with its next report; the old ones hold until those were used.")


def _named(name: str) -> Writer:
    writer = Writer.objects.filter(name=name).first()
    if writer is None:
        raise CommandError(f"name: There is no writer named {name!r}. See `writer list`.")
    return writer


def _toml(new: NewWriter, listen: str, server: str, drives: list[DriveEntry], tls: bool) -> str:
    writer = new.writer
    token = tokens.command_token(settings.SPINDLE_WRITER_KEY, writer.uuid, writer.generation)
    config = AgentToml(
        writer=writer.uuid,
        name=writer.name,
        listen=listen,
        server_url=server.rstrip("/"),
        report_token=new.report_token,
        command_token_sha256=tokens.fingerprint(token),
        driver=writer.kind,
        drives=drives,
        tls=tls,
    )
    return render(config)


def _drives(options: dict[str, Any]) -> list[DriveEntry]:
    kinds = tuple(kind.strip() for kind in options["kinds"].split(",") if kind.strip())
    unknown = [kind for kind in kinds if kind not in wire.FORMAT_OF]
    if unknown or not kinds:
        known = ", ".join(wire.FORMAT_OF)
        raise CommandError(f"kinds: {', '.join(unknown) or 'none given'}; the kinds of media are {known}.")
    speed, blanks = options["speed"], options["blanks"]
    try:
        SPEED.validate_python(speed)
    except ValidationError:
        raise CommandError(f"speed: {speed!r} is not a speed such as 52c, 16d, 8b or 4.3.") from None
    if blanks is not None and not 0 <= blanks <= 1_000_000:
        raise CommandError(f"blanks: {blanks} is not between 0 and 1,000,000.")
    devices = options["devices"] or [DEVICE, DEVICE]
    copiers = [
        DriveEntry(f"d{number}", _device(device, options["kind"]), kinds, speed, blanks, feed=options["feed"])
        for number, device in enumerate(devices, start=1)
    ]
    sources = [
        DriveEntry(f"s{number}", _device(device, options["kind"]), (), role="source", feed="hand")
        for number, device in enumerate(options["sources"], start=1)
    ]
    return copiers + sources


def _device(device: str, kind: str) -> str:
    """What it means is the driver's; the one that ships for real drives is strict, since a typing error costs discs."""
    if kind != "xorriso" and device and device.isprintable():
        return device
    named = device.removeprefix("stdio:") if device.startswith("stdio:") else device
    usable = device.startswith("stdio:") or re.fullmatch(r"/dev/[A-Za-z0-9/_.-]+|[A-Z]:", device)
    if not named or not usable or not device.isprintable():
        raise CommandError(f"drive: {device!r} is not a drive. Give /dev/sr0 or a pseudo-drive such as {DEVICE}.")
    return device
