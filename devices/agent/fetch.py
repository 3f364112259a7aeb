"""Fetches announced files from the server, hashing as they come, and goes on where a connection broke.

Decides what is worth another try: a broken connection and 5xx are, a wrong size or digest never. Must never
make a file usable whose whole digest was not checked.
"""

from __future__ import annotations

import logging
import re
import sqlite3
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse, InvalidURL
from pathlib import Path
from threading import Condition, Event, Thread
from time import monotonic
from typing import Final

from devices.agent.hashing import BLOCK, HashingFile
from devices.agent.link import RedirectError, open_download
from devices.agent.store import Store
from devices.agent.stored import Stored
from devices.agent.tokens import Tokens
from devices.agent.wire import ImageState

log = logging.getLogger("agent")

AT_ONCE: Final = 2
TIMEOUT: Final = 20.0
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 10.0
SMALL_BLOCK: Final = 32_768
PURGE_LOOK: Final = 0.2  # seconds between two looks whether anybody still wants the file
RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+)$")
# Too early, timed out, too many: the server asks for another try.
PATIENT: Final = frozenset({408, 425, 429})
REFUSALS: Final = {
    401: "the server refused this writer's report token (401): enrol it anew, or set [server] token anew",
    403: "the server says this writer is not to have the file (403)",
    404: "the server doesn't have the file for this writer (404)",
}


class HopelessError(Exception):
    """Another try would end the same way; the text is the image's `reason`."""


class TryAgainError(Exception):
    """The connection broke or the server is not well."""


class PurgedError(Exception):
    """Nobody wants the file any more, or the agent stops."""


@dataclass(slots=True)
class _Waiting:
    due: float
    tries: int = 0


class Fetcher:
    """A few threads that take the announced files in turn; one that waits for its next try blocks no other."""

    def __init__(self, store: Store, tokens: Tokens, files_url: str | None, stop: Event) -> None:
        self._store = store
        self._tokens = tokens
        self._files_url = files_url
        self._stop = stop
        self._condition = Condition()
        self._waiting: dict[str, _Waiting] = {}
        self._active: set[str] = set()
        self._threads = [Thread(target=self._run, name=f"fetch-{n}", daemon=True) for n in range(AT_ONCE)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def want(self, digests: Iterable[str]) -> None:
        with self._condition:
            for digest in digests:
                self._waiting.setdefault(digest, _Waiting(due=monotonic()))
            self._condition.notify_all()

    def wake(self) -> None:
        with self._condition:
            self._condition.notify_all()

    def join(self, timeout: float) -> None:
        for thread in self._threads:
            thread.join(timeout)

    def _run(self) -> None:
        while (digest := self._take()) is not None:
            try:
                again = self._fetch(digest)
            except Exception:
                if self._stop.is_set():
                    return
                log.exception("image %s: the fetch failed", digest)
                again = True
            with self._condition:
                self._active.discard(digest)
                waiting = self._waiting.get(digest)
                if waiting is not None and again:
                    waiting.due = monotonic() + min(LONGEST_PAUSE, FIRST_PAUSE * 2**waiting.tries)
                    waiting.tries = min(waiting.tries + 1, 10)
                elif waiting is not None and not again:
                    del self._waiting[digest]
                self._condition.notify_all()
            self._rescue(digest)

    def _rescue(self, digest: str) -> None:
        """A file may have been announced again while its older fetch was ending. Where nobody can tell, the next try
        looks: a fault of the journal must not end this thread, for there are few.
        """
        try:
            stored = self._store.find(digest)
        except sqlite3.Error as fault:
            if not self._stop.is_set():
                log.error("image %s: the journal can't be read: %s", digest, fault)
                self.want([digest])
            return
        if stored is not None and stored.state is ImageState.RECEIVING:
            self.want([digest])

    def _take(self) -> str | None:
        with self._condition:
            while not self._stop.is_set():
                now = monotonic()
                free = {d: w.due for d, w in self._waiting.items() if d not in self._active}
                if free:
                    digest = min(free, key=lambda d: free[d])
                    if free[digest] <= now:
                        self._active.add(digest)
                        return digest
                    self._condition.wait(free[digest] - now)
                else:
                    self._condition.wait()
        return None

    def _fetch(self, digest: str) -> bool:
        """One try. Says whether there is to be another."""
        stored = self._store.find(digest)
        if stored is None or stored.state is not ImageState.RECEIVING:
            self._store.drop_part(digest)
            return False
        try:
            if self._files_url is None:
                raise HopelessError("this agent has no [server] url, so it can't fetch files")
            self._download(stored, f"{self._files_url}/{digest}", self._step(digest))
        except PurgedError:
            self._store.drop_part(digest)
        except TryAgainError as fault:
            log.warning("image %s: %s; trying again", digest, fault)
            return True
        except HopelessError as fault:
            self._fail(digest, str(fault))
        except OSError as fault:
            # The disk's own faults; those of the connection came as TryAgainError.
            self._fail(digest, f"spool-area-full: the writer's disk: {fault}")
        else:
            if self._store.settle(digest, None):
                log.info("image %s: ready, %d bytes", digest, stored.size)
        return False

    def _fail(self, digest: str, reason: str) -> None:
        if self._store.settle(digest, reason):
            log.error("image %s: failed: %s", digest, reason)

    def _step(self, digest: str) -> int:
        """Bytes read at a time: what is read when a connection breaks is lost, so little on a bad line."""
        with self._condition:
            waiting = self._waiting.get(digest)
            return SMALL_BLOCK if waiting is not None and waiting.tries else BLOCK

    def _download(self, stored: Stored, url: str, step: int) -> None:
        part: Path = self._store.part(stored.sha256)
        with HashingFile(part, stored.size) as file:
            self._store.received(stored.sha256, file.length)
            if file.length < stored.size:
                self._receive(stored, url, file, step)
            if file.digest() != stored.sha256:
                raise HopelessError("image-hash-mismatch: what the server sent has another sha256")

    def _receive(self, stored: Stored, url: str, file: HashingFile, step: int) -> None:
        token = self._tokens.report()
        try:
            download = open_download(url, token, file.length, TIMEOUT)
        except RedirectError as fault:
            raise HopelessError(str(fault)) from fault
        except ssl.SSLCertVerificationError as fault:
            raise HopelessError(f"the server's certificate is not trusted here: {fault.verify_message}") from fault
        except (InvalidURL, ValueError) as fault:  # a host or a path of a redirect that none can have
            raise HopelessError(f"the server sends us to what is no address: {fault}") from fault
        except (OSError, HTTPException) as fault:
            raise TryAgainError(f"the server can't be reached: {fault!r}") from fault
        try:
            self._check_status(download.response.status, token)
            if not check_head(download.response, file.length, stored.size):
                file.restart()
            self._copy(download.response, stored, file, step)
        finally:
            download.response.close()
            download.connection.close()

    def _check_status(self, status: int, token: str) -> None:
        if status in (200, 206):
            self._tokens.report_worked(token)
            return
        if status == 401 and self._tokens.report_refused(token):
            raise TryAgainError("the server refused the newest report token (401)")
        if status >= 500 or status in PATIENT:
            raise TryAgainError(f"the server answered {status}")
        raise HopelessError(REFUSALS.get(status, f"the server answered {status} instead of the file"))

    def _copy(self, response: HTTPResponse, stored: Stored, file: HashingFile, step: int) -> None:
        looked = 0.0
        while True:
            if self._stop.is_set():
                raise PurgedError
            if monotonic() - looked > PURGE_LOOK:  # a look is a query: one for each block would cost a tenth
                looked = monotonic()
                if self._is_purged(stored.sha256):
                    raise PurgedError
            view = file.room()[:step]
            try:
                got = response.readinto(view)
            except (OSError, HTTPException) as fault:
                file.give_back()
                raise TryAgainError(f"the connection broke after {file.length} bytes: {fault!r}") from fault
            if not got:
                file.give_back()
                break
            if file.length + got > stored.size:
                file.give_back()
                raise HopelessError(f"wrong size: the server sends more than {stored.size} bytes")
            file.take(got)
            self._store.received(stored.sha256, file.length)
        if file.length < stored.size:
            if response.getheader("Content-Length") is None and response.chunked:
                raise HopelessError(f"wrong size: {file.length} bytes came instead of {stored.size}")
            raise TryAgainError(f"the connection ended after {file.length} of {stored.size} bytes")

    def _is_purged(self, digest: str) -> bool:
        stored = self._store.find(digest)
        return stored is None or stored.state is not ImageState.RECEIVING


def check_head(response: HTTPResponse, offset: int, size: int) -> bool:
    """Does the body go on at `offset`? False: it begins anew. Raises HopelessError where it can't be the file."""
    kind = (response.getheader("Content-Type") or "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        raise HopelessError("the server sent an HTML page instead of the file: is there a proxy or a log-in between?")
    if response.getheader("Content-Encoding", "identity").lower() != "identity":
        raise HopelessError("the server sent the file encoded; a proxy must leave it as it is")
    if response.status == 200:
        length = response.getheader("Content-Length")
        if length is not None and _number(length) != size:
            raise HopelessError(f"wrong size: the server has {length} bytes, {size} were announced")
        return offset == 0
    found = RANGE.match(response.getheader("Content-Range") or "")
    if found is None or _number(found[1]) != offset:
        raise HopelessError(f"the server answered another range than bytes {offset}-")
    if _number(found[3]) != size:
        raise HopelessError(f"wrong size: the server has {found[3]} bytes, {size} were announced")
    return True


def _number(text: str) -> int:
    """Of bytes. Raises HopelessError."""
    try:
        return int(text)
    except ValueError as fault:
        raise HopelessError(f"the server's count of bytes is no number: {text[:40]!r}") from fault
