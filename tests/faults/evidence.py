"""All that a plant left behind: the shop's tables, the agents' journals, discs, burns, and the payer's ledger.

Reads, and judges nothing.
"""

from __future__ import annotations

import re
import sqlite3
import tomllib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

Row = dict[str, Any]
Tables = dict[str, list[Row]]

SHOP: Final = (
    "storefront_order", "storefront_orderline", "storefront_orderevent", "storefront_payment", "storefront_mail",
    "fulfillment_job", "fulfillment_jobevent", "fulfillment_shipment", "fulfillment_shipmentevent",
    "fulfillment_writeshare", "fulfillment_allocation", "fulfillment_paper", "devices_writer", "devices_write",
    "devices_disc", "devices_blankbin", "devices_blankentry", "devices_deviceevent", "archive_image",
    "archive_titleversion",
)  # fmt: skip
JOURNAL: Final = ("writes", "discs", "blanks", "images")
LEDGER: Final = ("sessions", "payment_intents", "charges", "refunds")
BURNT: Final = re.compile(r"dev=stdio:.*/([^/]+)\.img$")


@dataclass(frozen=True, slots=True)
class Agent:
    """What one agent keeps: its writer's uuid (hex), its journal's tables, its disc files by serial."""

    writer: str
    journal: Tables
    discs: dict[str, Path]


@dataclass(frozen=True, slots=True)
class Evidence:
    shop: Tables
    ledger: Tables
    agents: tuple[Agent, ...]
    burns: tuple[str, ...]
    """Serials, in the order in which a burner was started for them."""
    mails: tuple[str, ...]
    """The Message-ID of each mail that went out."""


def gather(folder: Path, database_url: str = "") -> Evidence:
    """`folder`: the plant's data folder. The shop first: what stands in it must be in the others already."""
    shop = _postgres(database_url) if database_url else _tables(folder / "spindle.sqlite3", SHOP)
    burns = (folder / "burns").read_text().splitlines() if (folder / "burns").exists() else []
    return Evidence(
        shop,
        _tables(folder / "stripe-ledger.sqlite3", LEDGER),
        tuple(_agent(config.parent) for config in sorted(folder.glob("agent-*/agent.toml"))),
        tuple(found[1] for line in burns if (found := BURNT.match(line))),
        tuple(id_ for path in sorted((folder / "mail").glob("*.log")) for id_ in _message_ids(path)),
    )


def _agent(folder: Path) -> Agent:
    config = tomllib.loads((folder / "agent.toml").read_text())
    discs = {path.stem: path for path in (folder / "discs").glob("*.img")}
    return Agent(UUID(config["writer"]["id"]).hex, _tables(folder / "state" / "journal.sqlite3", JOURNAL), discs)


def _tables(path: Path, names: tuple[str, ...]) -> Tables:
    with closing(sqlite3.connect(path, timeout=20, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute("BEGIN")  # one view of all tables
        return _read(names, lambda sql: [dict(row) for row in connection.execute(sql)])


def _postgres(url: str) -> Tables:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return _read(SHOP, lambda sql: connection.execute(sql.encode()).fetchall())


def _read(names: tuple[str, ...], ask: Callable[[str], list[Row]]) -> Tables:
    rows = {name: ask(f"SELECT * FROM {name} ORDER BY 1") for name in names}  # noqa: S608  (names from above)
    return {name: [{key: _plain(value) for key, value in row.items()} for row in rows[name]] for name in names}


def _plain(value: Any) -> Any:
    """A UUID as SQLite keeps it."""
    return value.hex if isinstance(value, UUID) else value


def _message_ids(path: Path) -> list[str]:
    """Django's file backend puts the mails of one process into one file, a line of dashes after each."""
    mails = path.read_bytes().split(b"-" * 79 + b"\n")
    headers = (BytesHeaderParser().parsebytes(mail)["Message-ID"] for mail in mails if mail.strip())
    return [header.strip() for header in headers if header]
