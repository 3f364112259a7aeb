"""What must hold at a plant that has come to rest, whatever died: each breach in words. Changes nothing.

Every invariant is a function of the evidence; `violations` puts them together.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

from tests.faults.evidence import Agent, Evidence, Row

PAID: Final = {"paid", "in-production", "ready", "shipped"}
MADE: Final = {"ready", "shipped"}
FINAL_DISC: Final = {"good", "bad", "unknown", "cancelled"}
SPENT: Final = ("good", "bad", "unknown")
FINAL_WRITE: Final = {"done", "cancelled"}
BLOCK: Final = 1 << 20


def violations(evidence: Evidence) -> list[str]:
    invariants = (lines, allocations, serials, contents, journals, blanks, money, logs, rest, mails, labels)
    return [f"{invariant.__name__}: {text}" for invariant in invariants for text in invariant(evidence)]


def lines(evidence: Evidence) -> Iterator[str]:
    """Each line of a paid order is one job of just that image and number; an unpaid one is none."""
    shop = evidence.shop
    jobs = {job["reference"]: job for job in shop["fulfillment_job"]}
    images = {version["id"]: version["image_id"] for version in shop["archive_titleversion"]}
    orders = {order["id"]: order for order in shop["storefront_order"]}
    given = Counter(allocation["job_id"] for allocation in shop["fulfillment_allocation"])
    wanted = set()
    for line in shop["storefront_orderline"]:
        order = orders[line["order_id"]]
        reference = f"{order['number']}/{line['id']}"
        if order["state"] not in PAID:
            continue
        wanted.add(reference)
        if (job := jobs.get(reference)) is None:
            yield f"line {reference} is paid and has no job"
            continue
        asked = (line["copies"], line["format"], images[line["version_id"]])
        if (job["copies"], job["format"], job["image_id"]) != asked:
            yield f"job {reference} is not what was ordered"
        if order["state"] in MADE and (job["state"] != "made" or given[job["id"]] != line["copies"]):
            yield f"order {order['number']} is {order['state']}, line {reference} has {given[job['id']]} good discs"
    for reference in jobs.keys() - wanted:
        yield f"job {reference} is for no paid line"


def allocations(evidence: Evidence) -> Iterator[str]:
    """Only good discs of the job's own image, never more than ordered, and none left over while a job wants it."""
    shop = evidence.shop
    jobs, writes = _by_id(shop["fulfillment_job"]), _by_id(shop["devices_write"])
    discs, images = _by_id(shop["devices_disc"]), _by_id(shop["archive_image"])
    owned = [allocation for allocation in shop["fulfillment_allocation"] if allocation["job_id"] is not None]
    given = Counter(allocation["job_id"] for allocation in owned)
    taken = Counter(allocation["disc_id"] for allocation in owned)
    for allocation in owned:
        disc, job = discs[allocation["disc_id"]], jobs[allocation["job_id"]]
        write = writes[disc["write_id"]]
        if disc["state"] != "good":
            yield f"disc {disc['serial']} is {disc['state']} and given to {job['reference']}"
        if (write["image_sha256"], write["format"]) != (images[job["image_id"]]["sha256"], job["format"]):
            yield f"disc {disc['serial']} of another image is given to {job['reference']}"
    yield from (f"disc {discs[disc]['serial']} is given {times} times" for disc, times in taken.items() if times > 1)
    for job in jobs.values():
        if given[job["id"]] > job["copies"]:
            yield f"job {job['reference']} got {given[job['id']]} discs of {job['copies']} ordered"
        if job["state"] == "made" and given[job["id"]] < job["copies"]:
            yield f"job {job['reference']} is made with {given[job['id']]} discs of {job['copies']}"
    wanting = {
        (images[job["image_id"]]["sha256"], job["format"])
        for job in jobs.values()
        if job["state"] in {"waiting", "held", "writing"} and given[job["id"]] < job["copies"]
    }
    shared = {share["write_id"] for share in shop["fulfillment_writeshare"]}
    for disc in discs.values():
        write = writes[disc["write_id"]]
        in_stock = disc["state"] == "good" and disc["id"] not in taken and disc["write_id"] in shared
        if in_stock and (write["image_sha256"], write["format"]) in wanting:
            yield f"disc {disc['serial']} lies in stock while a job wants it"


def serials(evidence: Evidence) -> Iterator[str]:
    """No serial is burnt twice, by whomever; what was burnt was started in a journal or is known as lost."""
    known = {disc["serial"]: disc for disc in evidence.shop["devices_disc"]}
    for serial, times in Counter(evidence.burns).items():
        if times > 1:
            yield f"serial {serial} was burnt {times} times"
        if serial not in known:
            yield f"serial {serial} was burnt and is not in the shop"
    starts: Counter[str] = Counter()
    for event in evidence.shop["devices_deviceevent"]:
        if event["kind"] == "disc" and event["old"] == "planned" and event["new"] != "cancelled":
            starts[event["serial"]] += 1
    yield from (f"disc {serial} left «planned» {times} times" for serial, times in starts.items() if times > 1)
    started = Counter(disc["serial"] for agent in evidence.agents for disc in _started(agent))
    yield from (
        f"serial {serial} stands as started in {times} journals" for serial, times in started.items() if times > 1
    )
    files = Counter(serial for agent in evidence.agents for serial in agent.discs)
    yield from (f"serial {serial} is on {times} discs" for serial, times in files.items() if times > 1)
    for serial in files.keys() - set(evidence.burns):
        yield f"disc {serial} exists and nobody burnt it"
    for serial in files.keys() & known.keys():
        if known[serial]["state"] in {"planned", "cancelled"}:
            yield f"disc {serial} exists and is {known[serial]['state']} in the shop"


def contents(evidence: Evidence) -> Iterator[str]:
    """A good disc is there and begins with its image, byte for byte."""
    files = {serial: path for agent in evidence.agents for serial, path in agent.discs.items()}
    writes = _by_id(evidence.shop["devices_write"])
    for disc in evidence.shop["devices_disc"]:
        if disc["state"] != "good":
            continue
        write = writes[disc["write_id"]]
        if (path := files.get(disc["serial"])) is None:
            yield f"disc {disc['serial']} is good and does not exist"
        elif _digest(path, path.stat().st_mtime_ns, write["image_size"]) != write["image_sha256"]:
            yield f"disc {disc['serial']} is good and reads otherwise than its image"


def journals(evidence: Evidence) -> Iterator[str]:
    """Shop and agent say the same of each disc, save where a lost journal made it unknown to the shop."""
    writers, writes = _by_id(evidence.shop["devices_writer"]), _by_id(evidence.shop["devices_write"])
    booked = {disc["serial"]: disc for disc in evidence.shop["devices_disc"]}
    for agent in evidence.agents:
        lost = _lost_journal(evidence, agent)
        kept = {disc["serial"]: disc for disc in agent.journal["discs"]}
        for serial in kept.keys() - booked.keys():
            yield f"disc {serial} stands in a journal and not in the shop"
        for serial, disc in booked.items():
            if writers[writes[disc["write_id"]]["writer_id"]]["uuid"] != agent.writer or lost:
                continue
            if (entry := kept.get(serial)) is None:
                if disc["state"] != "cancelled":
                    yield f"disc {serial} is {disc['state']} in the shop and not in its writer's journal"
            elif entry["state"] != disc["state"]:
                yield f"disc {serial} is {disc['state']} in the shop and {entry['state']} in the journal"
        for entry in _started(agent):
            if entry["state"] == "good" and entry["serial"] not in agent.discs:
                yield f"disc {entry['serial']} is good in the journal and does not exist"


def blanks(evidence: Evidence) -> Iterator[str]:
    """loaded + adjusted = remaining + under way + good + bad + unknown, in each bin and at its machine."""
    shop = evidence.shop
    discs = _grouped(shop["devices_disc"], "bin_id")
    for disc in discs[None]:
        if disc["state"] in {"started", "good"}:
            yield f"disc {disc['serial']} was started from no bin"
    entries = _grouped(shop["devices_blankentry"], "bin_id")
    agents = {agent.writer: agent for agent in evidence.agents}
    writers = _by_id(shop["devices_writer"])
    for bin_ in shop["devices_blankbin"]:
        writer = writers[bin_["writer_id"]]
        name, agent = f"bin {bin_['bin']} of {writer['name']}", agents[writer["uuid"]]
        yield from _columns(name, bin_, discs[bin_["id"]], entries[bin_["id"]])
        if not _lost_journal(evidence, agent):
            yield from _machine(name, bin_, agent)


def _columns(name: str, bin_: Row, discs: list[Row], entries: list[Row]) -> Iterator[str]:
    """Each column of the bin is what its discs and its entries come to."""
    found = Counter(disc["state"] for disc in discs)
    for state in SPENT:
        if bin_[state] != found[state]:
            yield f"{name} counts {bin_[state]} {state} discs, there are {found[state]}"
    if bin_["started"] != found["started"] + sum(found[state] for state in SPENT):
        yield f"{name} counts {bin_['started']} blanks as started, {dict(found)} were"
    for column in ("loaded", "adjusted"):
        sum_ = sum(entry["change"] for entry in entries if entry["column"] == column)
        if bin_[column] != sum_:
            yield f"{name}: {column} is {bin_[column]}, its entries come to {sum_}"


def _machine(name: str, bin_: Row, agent: Agent) -> Iterator[str]:
    """The machine's own count: nothing was lost outside, so the shop needed no correction after the first load."""
    count = next(
        row for row in agent.journal["blanks"] if (row["drive"], row["format"]) == (bin_["bin"], bin_["format"])
    )
    starts = sum(disc["drive"] == bin_["bin"] for disc in _started(agent))
    if count["used"] != starts:
        yield f"{name}: its agent used {count['used']} blanks for {starts} starts"
    if bin_["loaded"] + bin_["adjusted"] != count["loaded"]:
        yield f"{name}: {count['loaded']} blanks were loaded, the shop's books say {bin_['loaded'] + bin_['adjusted']}"


def money(evidence: Evidence) -> Iterator[str]:
    """One successful charge of the right amount for each paid order; none without an order, none without its money."""
    orders = _by_id(evidence.shop["storefront_order"])
    payments = {payment["key"]: payment for payment in evidence.shop["storefront_payment"]}
    references = {row["id"]: row["client_reference_id"] for row in evidence.ledger["sessions"]}
    intents = {row["id"]: references[row["session"]] for row in evidence.ledger["payment_intents"]}
    charged: dict[int, list[Row]] = defaultdict(list)
    for charge in evidence.ledger["charges"]:
        left = charge["amount"] - charge["amount_refunded"]
        if charge["status"] != "succeeded" or not left:
            continue
        if (payment := payments.get(intents[charge["payment_intent"]])) is None:
            yield f"charge {charge['id']} is for no payment of ours"
            continue
        charged[payment["order_id"]].append(charge)
        if payment["state"] != "paid":
            yield f"charge {charge['id']} was made, payment {payment['key']} is {payment['state']}"
    for order in orders.values():
        of_it = [payment for payment in payments.values() if payment["order_id"] == order["id"]]
        booked, charges = sum(payment["state"] == "paid" for payment in of_it), charged[order["id"]]
        if booked != (order["state"] in PAID):
            yield f"order {order['number']} is {order['state']} with {booked} paid payments"
        if len(charges) != (order["state"] in PAID):
            yield f"order {order['number']} is {order['state']} and was charged {len(charges)} times"
        for charge in charges:
            taken = (charge["amount"] - charge["amount_refunded"], charge["currency"].upper())
            if taken != (order["total_minor"], order["currency"]):
                yield f"order {order['number']} comes to {order['total_minor']}, charged was {taken}"


def logs(evidence: Evidence) -> Iterator[str]:
    """Each state is what its events, one after the other, lead to."""
    shop = evidence.shop
    for thing, table, events, key in (
        ("order", "storefront_order", "storefront_orderevent", "order_id"),
        ("job", "fulfillment_job", "fulfillment_jobevent", "job_id"),
        ("shipment", "fulfillment_shipment", "fulfillment_shipmentevent", "shipment_id"),
    ):
        told = _grouped(shop[events], key)
        for row in shop[table]:
            name = row.get("number") or row["reference"]
            yield from _fold(f"{thing} {name}", "", row["state"], told[row["id"]])
    events_of = _grouped((event for event in shop["devices_deviceevent"] if event["kind"] == "write"), "write_id")
    for write in shop["devices_write"]:
        yield from _fold(f"write {write['id']}", "", write["state"], events_of[write["id"]])
    discs = _grouped((event for event in shop["devices_deviceevent"] if event["kind"] == "disc"), "serial")
    for disc in shop["devices_disc"]:
        yield from _fold(f"disc {disc['serial']}", "planned", disc["state"], discs[disc["serial"]])


def _fold(name: str, state: str, now: str, events: Iterable[Row]) -> Iterator[str]:
    for event in sorted(events, key=lambda event: int(event["id"])):
        if event["old"] != state:
            yield f"{name} was {state or 'new'}, its next event comes from {event['old'] or 'nothing'}"
        state = event["new"]
    if state != now:
        yield f"{name} is {now}, its events lead to {state or 'nothing'}"


def rest(evidence: Evidence) -> Iterator[str]:
    """Nothing is under way for ever: each job is over, or held with a reason that somebody can act on."""
    for job in evidence.shop["fulfillment_job"]:
        if job["state"] not in {"made", "cancelled"} and not (job["state"] == "held" and job["reason"]):
            yield f"job {job['reference']} is still {job['state']}"
    for write in evidence.shop["devices_write"]:
        if write["state"] not in FINAL_WRITE:
            yield f"write {write['id']} is still {write['state']}"
    for disc in evidence.shop["devices_disc"]:
        if disc["state"] not in FINAL_DISC:
            yield f"disc {disc['serial']} is still {disc['state']}"
    for agent in evidence.agents:
        for entry in agent.journal["discs"]:
            if entry["state"] not in FINAL_DISC:
                yield f"disc {entry['serial']} is still {entry['state']} at its agent"


def mails(evidence: Evidence) -> Iterator[str]:
    """One confirmation for each paid order, none for others; what went out stands in the outbox."""
    told = Counter((mail["order_id"], mail["key"].split("-")[0]) for mail in evidence.shop["storefront_mail"])
    for order in evidence.shop["storefront_order"]:
        confirmations = told[order["id"], "confirmation"]
        if confirmations != (order["state"] in PAID):
            yield f"order {order['number']} is {order['state']} and has {confirmations} confirmations"
    by_id: Counter[str] = Counter(id_.strip("<>").partition("@")[0] for id_ in evidence.mails)
    rows = {mail["key"]: mail for mail in evidence.shop["storefront_mail"]}
    for key, times in by_id.items():
        if key not in rows:
            yield f"mail {key} went out and is in no outbox"
        elif times > rows[key]["attempts"]:
            yield f"mail {key} went out {times} times in {rows[key]['attempts']} tries"
    for key, mail in rows.items():
        if mail["state"] == "sent" and not by_id[key]:
            yield f"mail {key} is «sent» and never went out"


def labels(evidence: Evidence) -> Iterator[str]:
    """One label for each shipment that is ready; a printed paper is there as it was printed."""
    papers = _grouped(evidence.shop["fulfillment_paper"], "shipment_id")
    for shipment in evidence.shop["fulfillment_shipment"]:
        count = sum(paper["kind"] == "address-label" for paper in papers[shipment["id"]])
        if count != (shipment["state"] in {"ready", "packed", "shipped"}):
            yield f"shipment {shipment['reference']} is {shipment['state']} and has {count} labels"
        for paper in papers[shipment["id"]]:
            if paper["state"] == "printed":
                path = Path(paper["path"])
                if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != paper["sha256"]:
                    yield f"{paper['kind']} of {shipment['reference']} is not as it was printed"


def _by_id(rows: Iterable[Row]) -> dict[int, Row]:
    return {row["id"]: row for row in rows}


def _grouped(rows: Iterable[Row], key: str) -> defaultdict[object, list[Row]]:
    groups: defaultdict[object, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[key]].append(row)
    return groups


def _started(agent: Agent) -> list[Row]:
    return [disc for disc in agent.journal["discs"] if disc["started_at"] is not None]


def _lost_journal(evidence: Evidence, agent: Agent) -> bool:
    """An operator was told that what this agent knew is gone."""
    writer = next(row["id"] for row in evidence.shop["devices_writer"] if row["uuid"] == agent.writer)
    events = evidence.shop["devices_deviceevent"]
    return any(event["writer_id"] == writer and event["new"] == "journal-lost" for event in events)


@cache
def _digest(path: Path, changed: int, size: int) -> str:
    """Of the image's length: what lies behind it on a disc is padding. `changed` makes another disc another key."""
    hashed, left = hashlib.sha256(), size
    with path.open("rb") as disc:
        while left and (block := disc.read(min(left, BLOCK))):
            hashed.update(block)
            left -= len(block)
    return hashed.hexdigest()
