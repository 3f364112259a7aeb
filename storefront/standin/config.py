"""What the stand-in is started with; one command line for `manage.py stripe_standin` and `-m storefront.standin`."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Config:
    """Without `webhook_url` events are recorded, never sent. `bank_debit`: seconds to settle; None: not offered."""

    port: int
    ledger: Path
    webhook_url: str | None
    secret: str
    key: str
    merchant: str
    drop_webhooks: bool
    duplicate_webhooks: int
    answer_after: float
    bank_debit: float | None

    @property
    def deliveries(self) -> int:
        """How often each new event is to be delivered."""
        return 0 if self.drop_webhooks or self.webhook_url is None else self.duplicate_webhooks

    def words(self) -> list[str]:
        """The command line that gives this configuration again."""
        words = ["--port", str(self.port), "--ledger", str(self.ledger), f"--secret={self.secret}"]
        words += ["--key", self.key, f"--merchant={self.merchant}", "--answer-after", str(self.answer_after)]
        words += ["--duplicate-webhooks", str(self.duplicate_webhooks)]
        if self.webhook_url:
            words += ["--webhook-url", self.webhook_url]
        if self.drop_webhooks:
            words.append("--drop-webhooks")
        if self.bank_debit is not None:
            words += ["--bank-debit", str(self.bank_debit)]
        return words


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise argparse.ArgumentTypeError(f"{text!r} is not an http(s) address")
    return text


def _test_key(text: str) -> str:
    if not re.fullmatch(r"sk_test_\w+", text, re.ASCII):
        raise argparse.ArgumentTypeError("the key must start with sk_test_ (a live key has no business here)")
    return text


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535; 0 takes a free one)")
    return int(text)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a count from 1 to 1000")
    return int(text)


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,3})?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return float(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=_port, default=8010, help="on 127.0.0.1 (default 8010; 0 takes a free one)")
    parser.add_argument("--ledger", type=Path, required=True, help="SQLite file that outlives the program")
    parser.add_argument("--webhook-url", type=_url, help="where signed events go; without it none is sent")
    parser.add_argument("--secret", default="whsec_standin", help="signs the events")
    parser.add_argument("--key", type=_test_key, default="sk_test_standin", help="the only API key that is let in")
    parser.add_argument("--merchant", default="Spindle", help="name shown on the hosted page")
    faults = parser.add_argument_group("faults")
    faults.add_argument("--drop-webhooks", action="store_true", help="new events are recorded and never sent")
    faults.add_argument(
        "--duplicate-webhooks", type=_count, default=1, metavar="N", help="every event arrives N times in all"
    )
    faults.add_argument(
        "--answer-after",
        type=_seconds,
        default=0.0,
        metavar="SECONDS",
        help="an API POST takes effect at once and is answered this much later",
    )
    faults.add_argument(
        "--bank-debit", type=_seconds, metavar="SECONDS", help="offer a delayed method that settles after so long"
    )


def config_from(options: argparse.Namespace) -> Config:
    return Config(
        port=options.port,
        ledger=options.ledger.absolute(),
        webhook_url=options.webhook_url,
        secret=options.secret,
        key=options.key,
        merchant=options.merchant,
        drop_webhooks=options.drop_webhooks,
        duplicate_webhooks=options.duplicate_webhooks,
        answer_after=options.answer_after,
        bank_debit=options.bank_debit,
    )
