"""Tells the server the whole state: on every change, and regularly; takes the answer's word for what is recorded.

A server that is away or unwell holds nothing up. One that refuses (a revoked token, a writer switched off or unknown,
another journal) wants no more discs of this agent: a disc under way is finished, none begins until a report is taken
again. Must never end a disc under way.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from http.client import HTTPException
from threading import Thread
from time import monotonic
from typing import Final

from pydantic import ValidationError

from devices.agent.journal import utc_now
from devices.agent.link import Answer, RedirectError, post_json
from devices.agent.shop import Shop
from devices.agent.state import Mirror
from devices.agent.tokens import Tokens
from devices.agent.wire import ProblemType, ReportAnswer

log = logging.getLogger("agent")

EVERY: Final = 15.0
PROGRESS_EVERY: Final = 5.0
AT_MOST_EVERY: Final = 1.0
LONGEST_PAUSE: Final = 5.0  # results are to be booked within ten seconds of the server's return
TIMEOUT: Final = 10.0
# Refusals of this moment; any other 4xx says that the server doesn't want what this agent does.
PASSING: Final = frozenset({408, 425, 429})
REMEDIES: Final = {
    401: "the report token is refused: enrol this agent anew (enrol --again), or set [server] token to the one "
    "the server shows for this writer",
    403: "the server refuses this writer: is it switched off there?",
    404: "the server knows no such writer: enrol this agent anew (enrol --again), or check [writer] id and "
    "[server] url",
    422: "the server does not understand this report: are agent and server of one version?",
}


class Reporter:
    def __init__(self, url: str, mirror: Mirror, shop: Shop, tokens: Tokens, release: Callable[[bool], None]) -> None:
        self._url = url
        self._mirror = mirror
        self._ledger = shop.ledger
        self._reads = shop.reads
        self._tokens = tokens
        self._changes = shop.journal.changes
        self._release = release
        self._stop = shop.stop
        self._images_told = ""
        self._silence = ""
        self._thread = Thread(target=self._run, name="reports", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            facts, progress, began = self._changes.facts, self._changes.progress, monotonic()
            try:
                accepted = self._report()
            except Exception:
                if self._stop.is_set():
                    return
                log.exception("report: failed")
                accepted = False
            failures = 0 if accepted else failures + 1
            if failures:
                self._stop.wait(min(LONGEST_PAUSE, 2.0 ** min(failures - 1, 4)))
            else:
                self._await_news(facts, progress, began)

    def _await_news(self, facts: int, progress: int, began: float) -> None:
        """Changes come at most once a second, progress alone every five, silence lasts fifteen."""
        self._stop.wait(max(0.0, began + AT_MOST_EVERY - monotonic()))
        changes, stop = self._changes, self._stop
        changes.wait(lambda: stop.is_set() or changes.facts != facts, began + PROGRESS_EVERY - monotonic())
        if changes.facts == facts and changes.progress == progress:
            changes.wait(
                lambda: stop.is_set() or changes.facts != facts or changes.progress != progress,
                began + EVERY - monotonic(),
            )

    def _report(self) -> bool:
        """One report. True where the server has taken it."""
        state = self._mirror.state()
        known = state.images_digest == self._images_told
        body = state.model_dump_json(exclude={"images"} if known else None).encode()
        token = self._tokens.report()
        try:
            answer = post_json(self._url, token, body, TIMEOUT)
        except (OSError, HTTPException, RedirectError) as fault:
            self._complain(f"the server can't be reached ({fault}); discs under way are finished without it")
            return False
        if answer.status == 200:
            return self._take(answer.body, state.images_digest, token)
        if answer.status == 401 and self._tokens.report_refused(token):
            log.warning("report: the newest report token is refused (401), trying the one before")
        elif 400 <= answer.status < 500 and answer.status not in PASSING:
            self._refused(answer)
        else:
            self._complain(f"the server is not well ({answer.status})")
        return False

    def _refused(self, answer: Answer) -> None:
        self._release(False)
        if answer.status != 409:
            remedy = REMEDIES.get(answer.status, "the server refuses the report")
            self._complain(f"{remedy} ({answer.status}); no new disc begins")
            return
        keyword = _keyword(answer.body)
        self._complain(f"the server does not accept this journal or boot (409 {keyword})")
        if keyword == ProblemType.JOURNAL_LOST:
            # Discs that wait in an older copy may have been written since; the server makes new serials.
            self._ledger.give_up_all(utc_now())
            self._reads.give_up_all(utc_now())

    def _take(self, body: bytes, images_digest: str, token: str) -> bool:
        try:
            answer = ReportAnswer.model_validate_json(body)
        except ValidationError as fault:
            self._complain(f"the server's answer is not understood: {fault.errors()[0]['msg']}")
            return False
        if self._silence:
            self._silence = ""
            log.info("report: the server takes them again")
        self._tokens.report_worked(token)
        self._images_told = "" if "images" in answer.want else images_digest
        if answer.recorded:
            self._ledger.record(answer.recorded, utc_now())
            self._reads.record(answer.recorded, utc_now())
        self._rotate(answer)
        self._release(True)
        if "images" in answer.want:
            self._changes.note()
        return True

    def _rotate(self, answer: ReportAnswer) -> None:
        """The server hands new tokens out until they are used: what can't be kept now comes again."""
        try:
            if answer.command_token_sha256 is not None:
                self._tokens.next_command(answer.command_token_sha256)
            if answer.report_token is not None:
                self._tokens.next_report(answer.report_token)
        except OSError as fault:
            log.warning("report: the new tokens can't be kept, so the old ones stay: %s", fault)

    def _complain(self, text: str) -> None:
        """Once, until it changes: a server away for a night must not fill the log."""
        if text != self._silence:
            self._silence = text
            log.error("report: %s", text)


def _keyword(body: bytes) -> str:
    try:
        return str(json.loads(body)["type"])
    except (ValueError, KeyError, TypeError):
        return "without a reason"
