"""The two bearer tokens and their rotation, kept beside the journal.

What counts is what the file says: a token that is only in memory would lock this agent out after a restart. Must never
write a command token (only its sha256 is known here), nor log any token.
"""

from __future__ import annotations

import hmac
import json
import logging
from hashlib import sha256
from pathlib import Path
from threading import Lock

from pydantic import BaseModel, ConfigDict, ValidationError

from devices.agent import private

log = logging.getLogger("agent")


class Rotated(BaseModel):
    """What the server has handed out since the configuration was written.

    `configured` is the digest of what agent.toml said then: another value there is the operator's word and wins.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    report_configured: str = ""
    report: tuple[str, ...] = ()
    command_configured: str = ""
    command: tuple[str, ...] = ()


class Tokens:
    """`report` tokens: the preferred one first. `command` digests: all that a caller may present."""

    def __init__(self, path: Path, report: str | None, command: tuple[str, ...]) -> None:
        self._path = path
        self._lock = Lock()
        kept = _read(path)
        report_mark = _digest(report or "")
        command_mark = _digest(" ".join(sorted(command)))
        if kept.report_configured != report_mark or not kept.report:
            kept = _changed(kept, report_configured=report_mark, report=(report,) if report else ())
        if kept.command_configured != command_mark or not kept.command:
            kept = _changed(kept, command_configured=command_mark, command=command)
        self._kept = kept

    # -- report token: the agent's own -----------------------------------------------------------------------------

    def report(self) -> str:
        with self._lock:
            return self._kept.report[0] if self._kept.report else ""

    def next_report(self, token: str) -> None:
        """The server gave a new one; the old holds until this was used. Raises OSError: the old one stays."""
        with self._lock:
            if token not in self._kept.report[:1]:
                self._keep(_changed(self._kept, report=(token, *self._kept.report)[:2]))

    def report_worked(self, token: str) -> None:
        with self._lock:
            if len(self._kept.report) > 1 and token == self._kept.report[0]:
                self._end_the_older(_changed(self._kept, report=(token,)))

    def report_refused(self, token: str) -> bool:
        """401: is there another one to try? (Not written: the newer one stays the newer one.)"""
        with self._lock:
            if len(self._kept.report) < 2:
                return False
            if token == self._kept.report[0]:
                self._kept = _changed(self._kept, report=self._kept.report[::-1])
            return True

    # -- command token: the server's -------------------------------------------------------------------------------

    def allows(self, token: str) -> bool:
        """May this caller command? The first call with the newest token ends the older ones."""
        digest = _digest(token)
        with self._lock:
            known = [hmac.compare_digest(digest, accepted) for accepted in self._kept.command]
            if len(known) > 1 and self._is_rotated() and known[-1]:
                self._end_the_older(_changed(self._kept, command=(digest,)))
            return any(known)

    def next_command(self, digest: str) -> None:
        """The next generation's digest: old and new hold until the new one was used. Raises OSError: it isn't taken."""
        with self._lock:
            if digest not in self._kept.command:
                self._keep(_changed(self._kept, command=(*self._kept.command, digest)))

    def _is_rotated(self) -> bool:
        """Did the newest come from the server? (Several in agent.toml are all the operator's.)"""
        return self._path.exists() and _digest(" ".join(sorted(self._kept.command))) != self._kept.command_configured

    def _keep(self, fresh: Rotated) -> None:
        """Raises OSError."""
        private.write(self._path, json.dumps(fresh.model_dump()))
        self._kept = fresh

    def _end_the_older(self, fresh: Rotated) -> None:
        """Both hold where that can't be written: the next use of the newest tries again."""
        try:
            self._keep(fresh)
        except OSError as fault:
            log.warning("an older token can't be ended yet: %s", fault)


def _changed(kept: Rotated, **values: str | tuple[str, ...]) -> Rotated:
    return kept.model_copy(update=values)


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
