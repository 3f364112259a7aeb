"""The checker fails when it should: each invariant is broken by hand, in a copy of what an order left behind."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from tests.faults.buyer import Buyer
from tests.faults.checker import violations
from tests.faults.ending import await_ready, await_rest
from tests.faults.evidence import gather
from tests.faults.plant import running_plant

SHOP: Final = "spindle.sqlite3"
LEDGER: Final = "stripe-ledger.sqlite3"
JOURNAL: Final = "agent-1/state/journal.sqlite3"

# (file, what is done to it, what the checker must say)
BREACHES: Final = (
    (SHOP, "DELETE FROM fulfillment_allocation WHERE id = (SELECT min(id) FROM fulfillment_allocation)",
     "lines: order * is ready, line * has 1 good discs"),
    (SHOP, "UPDATE fulfillment_job SET copies = 3", "lines: job * is not what was ordered"),
    (SHOP, "UPDATE fulfillment_job SET reference = 'S-ELSE/1'", "lines: line * is paid and has no job"),
    (SHOP, "UPDATE fulfillment_job SET reference = 'S-ELSE/1'", "lines: job S-ELSE/1 is for no paid line"),
    (SHOP, "UPDATE fulfillment_job SET copies = 1", "allocations: job * got 2 discs of 1 ordered"),
    (SHOP, "DELETE FROM fulfillment_allocation", "allocations: job * is made with 0 discs of 2"),
    (SHOP, "UPDATE devices_disc SET state = 'bad'", "allocations: disc * is bad and given to *"),
    (SHOP, "UPDATE devices_write SET image_sha256 = 'ff'", "allocations: disc * of another image is given to *"),
    (SHOP, "DELETE FROM fulfillment_allocation; UPDATE fulfillment_job SET state = 'waiting'",
     "allocations: disc * lies in stock while a job wants it"),
    ("burns", "append the first line", "serials: serial * was burnt 2 times"),
    ("burns", "append dev=stdio:/d/AAAA.img", "serials: serial AAAA was burnt and is not in the shop"),
    ("burns", "empty it", "serials: disc * exists and nobody burnt it"),
    (SHOP, "UPDATE devices_disc SET state = 'cancelled'", "serials: disc * exists and is cancelled in the shop"),
    (SHOP, "INSERT INTO devices_deviceevent (writer_id, serial, kind, old, new, at, actor, text)"
     " SELECT writer_id, serial, kind, old, new, at, actor, text FROM devices_deviceevent WHERE kind = 'disc'",
     "serials: disc * left «planned» 2 times"),
    ("agent-1", "copy its journal and discs to agent-2", "serials: serial * stands as started in 2 journals"),
    ("agent-1", "copy its journal and discs to agent-2", "serials: serial * is on 2 discs"),
    ("agent-1/discs", "change a byte", "contents: disc * is good and reads otherwise than its image"),
    ("agent-1/discs", "remove one", "contents: disc * is good and does not exist"),
    ("agent-1/discs", "remove one", "journals: disc * is good in the journal and does not exist"),
    (JOURNAL, "UPDATE discs SET state = 'bad'", "journals: disc * is good in the shop and bad in the journal"),
    (JOURNAL, "DELETE FROM discs", "journals: disc * is good in the shop and not in its writer's journal"),
    (JOURNAL, "UPDATE discs SET serial = 'X' || serial", "journals: disc X* stands in a journal and not in the shop"),
    (SHOP, "UPDATE devices_blankbin SET started = started + 1", "blanks: bin d1 of Writer 1 counts * as started*"),
    (SHOP, "UPDATE devices_blankbin SET good = 9, started = 9", "blanks: bin d1 of Writer 1 counts 9 good discs, *"),
    (SHOP, "UPDATE devices_blankbin SET loaded = 1", "blanks: bin d1 of Writer 1: loaded is 1, its entries come to 0"),
    (SHOP, "UPDATE devices_blankentry SET change = change - 1; UPDATE devices_blankbin SET adjusted = adjusted - 1",
     "blanks: bin d1 of Writer 1: 500 blanks were loaded, the shop's books say 499"),
    (SHOP, "UPDATE devices_disc SET bin_id = NULL", "blanks: disc * was started from no bin"),
    (JOURNAL, "UPDATE blanks SET used = used + 1", "blanks: bin d1 of Writer 1: its agent used * blanks for * starts"),
    (LEDGER, "INSERT INTO payment_intents SELECT seq + 1, 'pi_2', created, 'other', amount, currency, status, method,"
     " brand, last4, error FROM payment_intents; INSERT INTO sessions SELECT seq + 1, 'other', created, expires_at,"
     " status, payment_status, amount_total, currency, client_reference_id, 'pi_2', email, name, asked FROM sessions;"
     " INSERT INTO charges SELECT seq + 1, 'ch_2', created, 'pi_2', amount, 0, currency, status, method, brand,"
     " last4, error, settle_at, settles FROM charges", "money: order * is ready and was charged 2 times"),
    (LEDGER, "UPDATE charges SET status = 'failed'", "money: order * is ready and was charged 0 times"),
    (LEDGER, "UPDATE charges SET amount_refunded = 1", "money: order * comes to 2370, charged was (2369, 'EUR')"),
    (LEDGER, "UPDATE sessions SET client_reference_id = 'pay-else'", "money: charge * is for no payment of ours"),
    (SHOP, "UPDATE storefront_payment SET state = 'expired'", "money: charge * was made, payment * is expired"),
    (SHOP, "UPDATE storefront_payment SET state = 'expired'", "money: order * is ready with 0 paid payments"),
    (SHOP, "UPDATE storefront_order SET state = 'shipped'", "logs: order * is shipped, its events lead to ready"),
    (SHOP, "DELETE FROM fulfillment_jobevent WHERE new = 'writing'", "logs: job * was waiting, its next event comes *"),
    (SHOP, "UPDATE fulfillment_shipment SET state = 'packed'", "logs: shipment * is packed, its events lead to ready"),
    (SHOP, "UPDATE devices_write SET state = 'writing'", "logs: write * is writing, its events lead to done"),
    (SHOP, "UPDATE devices_disc SET state = 'unknown'", "logs: disc * is unknown, its events lead to good"),
    (SHOP, "UPDATE devices_write SET state = 'writing'", "rest: write * is still writing"),
    (SHOP, "UPDATE devices_disc SET state = 'started'", "rest: disc * is still started"),
    (SHOP, "UPDATE fulfillment_job SET state = 'waiting', reason = 'blanks'", "rest: job * is still waiting"),
    (JOURNAL, "UPDATE discs SET state = 'started'", "rest: disc * is still started at its agent"),
    (SHOP, "DELETE FROM storefront_mail", "mails: order * is ready and has 0 confirmations"),
    (SHOP, "DELETE FROM storefront_mail", "mails: mail confirmation-* went out and is in no outbox"),
    (SHOP, "UPDATE storefront_mail SET attempts = 0", "mails: mail confirmation-* went out 1 times in 0 tries"),
    ("mail", "empty it", "mails: mail confirmation-* is «sent» and never went out"),
    (SHOP, "DELETE FROM fulfillment_paper", "labels: shipment * is ready and has 0 labels"),
    (SHOP, "UPDATE fulfillment_paper SET sha256 = 'ff'", "labels: address-label of * is not as it was printed"),
)  # fmt: skip


@pytest.fixture(scope="module")
def left_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of a plant that made one order of two discs, and was ended."""
    folder = tmp_path_factory.mktemp("left") / "plant"
    with running_plant() as plant:
        order = Buyer(plant).order("QUICK", 2)
        await_ready(plant, order)
        await_rest(plant)
        papers = "SELECT id FROM fulfillment_paper WHERE state != 'printed'"
        plant.await_true(lambda: not plant.rows(papers), "the papers")
        plant.await_true(lambda: plant.rows("SELECT id FROM storefront_mail WHERE state = 'sent'"), "the mail")
        for process in tuple(plant.running):
            plant.kill(process)
        shutil.copytree(plant.folder, folder, ignore=shutil.ignore_patterns("*.sock", "static", "sources", "images"))
        yield folder


def test_what_an_order_leaves_behind_violates_nothing(left_behind: Path) -> None:
    assert violations(gather(left_behind)) == []


@pytest.mark.parametrize(("file", "deed", "said"), BREACHES, ids=[said.replace("*", "…") for *_, said in BREACHES])
def test_the_checker_sees(left_behind: Path, tmp_path: Path, file: str, deed: str, said: str) -> None:
    folder = tmp_path / "plant"
    shutil.copytree(left_behind, folder)
    spoil(folder, file, deed)
    found = violations(gather(folder))
    start, _, end = said.partition("*")
    last = end.rpartition("*")[2]
    assert any(text.startswith(start) and text.endswith(last) for text in found), found


def spoil(folder: Path, file: str, deed: str) -> None:
    path = folder / file
    discs = sorted((folder / "agent-1" / "discs").glob("*.img"))
    match deed:
        case "append the first line":
            path.write_text(path.read_text() + path.read_text().splitlines()[0] + "\n")
        case "empty it":
            shutil.rmtree(path) if path.is_dir() else path.write_text("")
        case "copy its journal and discs to agent-2":
            for part in ("state", "discs"):
                shutil.rmtree(folder / "agent-2" / part, ignore_errors=True)
                shutil.copytree(path / part, folder / "agent-2" / part)
        case "change a byte":
            content = bytearray(discs[0].read_bytes())
            content[40_000] ^= 1
            discs[0].write_bytes(content)
        case "remove one":
            discs[0].unlink()
        case _ if deed.startswith("append "):
            path.write_text(path.read_text() + deed.removeprefix("append ") + "\n")
        case _:
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA ignore_check_constraints = ON")
                connection.executescript(deed)
                connection.commit()
