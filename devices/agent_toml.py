"""Writes the agent.toml of a new writer. Pure; the tokens in it are shown once and kept nowhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class DriveEntry:
    ident: str
    device: str
    kinds: tuple[str, ...]
    speed: str | None = None
    blanks: int | None = None
    role: str = "copier"
    feed: str = "robot"


@dataclass(frozen=True, slots=True)
class AgentToml:
    writer: UUID
    name: str
    listen: str  # host:port
    server_url: str
    report_token: str
    command_token_sha256: str
    driver: str
    drives: Sequence[DriveEntry]
    tls: bool = False


def render(config: AgentToml) -> str:
    """The whole file, as the agent's configuration reader takes it."""
    start = "python -m devices.agent --config agent.toml"
    if config.tls:
        start += " --tls-cert CERTIFICATE --tls-key KEY"
    lines = [
        f"# {_comment(config.name)}. Holds a secret: keep it readable by the agent alone.",
        f"# Start the agent with: {start}",
        "[writer]",
        f"id = {_text(str(config.writer))}",
        f"name = {_text(config.name)}",
        f"listen = {_text(config.listen)}",
        'state = "state"',
        "",
        "[server]",
        f"url = {_text(config.server_url)}",
        f"token = {_text(config.report_token)}",
        "",
        "[accept]",
        f"tokens_sha256 = [{_text(config.command_token_sha256)}]",
        "",
        "[driver]",
        f"name = {_text(config.driver)}",
    ]
    for drive in config.drives:
        lines += ["", *_drive(drive)]
    return "\n".join(lines) + "\n"


def _drive(drive: DriveEntry) -> list[str]:
    lines = [
        "[[driver.drives]]",
        f"id = {_text(drive.ident)}",
        f"role = {_text(drive.role)}",
        f"feed = {_text(drive.feed)}",
        f"device = {_text(drive.device)}",
    ]
    if drive.kinds:
        lines.append(f"kinds = [{', '.join(_text(kind) for kind in drive.kinds)}]")
    if drive.speed is not None:
        lines.append(f"speed = {_text(drive.speed)}")
    if drive.blanks is not None:
        lines.append(f"blanks = {drive.blanks}")
    return lines


def _text(value: str) -> str:
    """A TOML basic string: JSON's escapes are TOML's, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _comment(value: str) -> str:
    return "".join(character if character.isprintable() else " " for character in value)
