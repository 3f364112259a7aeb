"""The two bearer tokens and their rotation, kept beside the journal.

Must never write a command token (only its sha256 is known here), nor log any token.
"""

from __future__ import annotations

import hmac
import json
import os
from hashlib import sha256
from pathlib import Path
from threading import Lock

from pydantic import BaseModel, ConfigDict, ValidationError


class Rotated(BaseModel):
    """What the server has handed out since the configuration was written.

    `configured` is the digest of what agent.toml said then: another value there is the operator's word and wins.
    """

    model_config = ConfigDict(extra="forbid")

    report_configured: str = ""
    report: list[str] = []
    command_configured: str = ""
    command: list[str] = []


class Tokens:
    """`report` tokens: the preferred one first. `command` digests: all that a caller may present."""

    def __init__(self, path: Path, report: str | None, command: tuple[str, ...]) -> None:
        self._path = path
        self._lock = Lock()
        kept = _read(path)
        report_mark = _digest(report or "")
        command_mark = _digest(" ".join(sorted(command)))
        if kept.report_configured != report_mark or not kept.report:
            kept.report_configured, kept.report = report_mark, [report] if report else []
        if kept.command_configured != command_mark or not kept.command:
            kept.command_configured, kept.command = command_mark, list(command)
        self._kept = kept

    # -- report token: the agent's own -----------------------------------------------------------------------------

    def report(self) -> str:
        with self._lock:
            return self._kept.report[0] if self._kept.report else ""

    def next_report(self, token: str) -> None:
        """The server gave a new one; the old holds until this was used."""
        with self._lock:
            if token not in self._kept.report[:1]:
                self._kept.report = [token, *self._kept.report][:2]
                self._write()

    def report_worked(self, token: str) -> None:
        with self._lock:
            if len(self._kept.report) > 1 and token == self._kept.report[0]:
                self._kept.report = [token]
                self._write()

    def report_refused(self, token: str) -> bool:
        """401: is there another one to try? (Not written: the newer one stays the newer one.)"""
        with self._lock:
            if len(self._kept.report) < 2:
                return False
            if token == self._kept.report[0]:
                self._kept.report.reverse()
            return True

    # -- command token: the server's -------------------------------------------------------------------------------

    def allows(self, token: str) -> bool:
        """May this caller command? The first call with the newest token ends the older ones."""
        digest = _digest(token)
        with self._lock:
            known = [hmac.compare_digest(digest, accepted) for accepted in self._kept.command]
            if len(known) > 1 and self._is_rotated() and known[-1]:
                self._kept.command = [digest]
                self._write()
            return any(known)

    def next_command(self, digest: str) -> None:
        """The next generation's digest: old and new hold until the new one was used."""
        with self._lock:
            if digest not in self._kept.command:
                self._kept.command = [*self._kept.command, digest]
                self._write()

    def _is_rotated(self) -> bool:
        """Did the newest come from the server? (Several in agent.toml are all the operator's.)"""
        return self._path.exists() and _digest(" ".join(sorted(self._kept.command))) != self._kept.command_configured

    def _write(self) -> None:
        fresh = self._path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(self._kept.model_dump(), file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)


def _read(path: Path) -> Rotated:
    try:
        return Rotated.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Rotated()
    except ValidationError as fault:
        raise TokenFileError(f"{path}: is damaged; remove it, and set the writer's tokens anew") from fault


class TokenFileError(Exception):
    """The file of rotated tokens can't be used."""


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
