"""Images: fetched from a server that breaks, checked, served, purged."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest
from fastapi import Response
from starlette.requests import ClientDisconnect
from starlette.types import Message

from devices.agent.fetch import Fetcher
from devices.agent.journal import Journal, utc_now
from devices.agent.problems import RefusedError
from devices.agent.routes.content import stream
from devices.agent.store import Store
from devices.agent.stored import Stored
from devices.agent.tokens import Tokens
from devices.agent.wire import ImageOrder, Layout
from tests.devices.agent.plant import REPORT, WRITER, AgentProcess, Fault, Shop, await_true, digest_of, image_of

Start = Callable[..., AgentProcess]
DATA = image_of(3_000_000)
# The agent counts what it has received in whole buffers.
HELD = 2 << 20


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> object:
    """One agent for many fetches: each has an image of its own."""
    shop = Shop()
    made = AgentProcess(tmp_path_factory.mktemp("images"), shop)
    try:
        yield made.start()
    finally:
        made.clean_up()
        shop.close()


def shop_of(agent: AgentProcess) -> Shop:
    assert agent.shop is not None
    return agent.shop


def test_asked_in_the_moment_a_fetch_ends_the_agent_tells_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path / "journal.sqlite3")
    store = Store(journal, tmp_path / "images", None)
    digest = digest_of(DATA)
    asked = store.announce(digest, ImageOrder(layout=Layout.ISO, size=len(DATA), name="P-1001"), utc_now())
    store.part(digest).write_bytes(DATA)
    look = Path.stat

    def settled_just_after(path: Path, **options: bool) -> os.stat_result:
        found = look(path, **options)
        monkeypatch.undo()
        store.settle(digest, None)
        return found

    monkeypatch.setattr(Path, "stat", settled_just_after)
    assert store.answer(asked).received == len(DATA)
    assert store.answer(asked).received == len(DATA)  # the part has become the file
    journal.close()


def test_an_image_is_received_checked_and_ready(agent: AgentProcess) -> None:
    digest = shop_of(agent).put(DATA)
    first = agent.announce(digest, len(DATA))
    assert (first.status, first.json["state"]) == (202, "receiving")
    assert agent.await_image(digest, "ready") == {"state": "ready", "received": len(DATA), "reason": None}
    assert agent.announce(digest, len(DATA)).status == 200
    assert agent.announce(digest, len(DATA) + 1).json["type"] == "different-body"
    stored = agent.folder / "state" / "images" / digest
    assert stored.read_bytes() == DATA
    assert (agent.folder / "state").stat().st_mode & 0o777 == 0o700


def test_a_broken_connection_is_resumed_where_it_broke(agent: AgentProcess) -> None:
    shop = shop_of(agent)
    data = image_of(2_500_000, seed=11)
    digest = shop.put(data, Fault(cut_after=1_000_000), Fault(cut_after=700_000))
    agent.announce(digest, len(data))
    agent.await_image(digest, "ready")
    ranges = [asked for path, asked, _ in shop.asked if path.endswith(digest)]
    assert ranges == [None, "bytes=1000000-", "bytes=1700000-"]


def test_a_server_without_range_sends_all_of_it_again(agent: AgentProcess) -> None:
    data = image_of(2_500_000, seed=12)
    digest = shop_of(agent).put(data, Fault(cut_after=1_000_000), Fault(no_range=True))
    agent.announce(digest, len(data))
    agent.await_image(digest, "ready")


def test_5xx_are_tried_again(agent: AgentProcess) -> None:
    data = image_of(50_000, seed=13)
    digest = shop_of(agent).put(data, Fault(status=503), Fault(status=500))
    agent.announce(digest, len(data))
    agent.await_image(digest, "ready")


@pytest.mark.parametrize(
    ("seed", "fault", "reason"),
    [
        (21, Fault(body=image_of(50_000, seed=99)), "sha256"),
        (22, Fault(body=image_of(49_999, seed=22)), "wrong size"),
        (23, Fault(body=b"<html>Please log in</html>", content_type="text/html; charset=utf-8"), "HTML page"),
        (24, Fault(status=401), "401"),
        (25, Fault(status=403), "403"),
        (26, Fault(status=404), "404"),
        (27, Fault(location="ftp://127.0.0.1/x"), "not an address"),
        (71, Fault(location="http://[oops"), "no address"),
        (72, Fault(location="http://127.0.0.1:port/x"), "no address"),
        (73, Fault(location="http://127.0.0.1:99999/x"), "no address"),
        (74, Fault(location="http://127.0.0.1/a b"), "no address"),
        (75, Fault(location=f"http://{'x' * 80}.example/x"), "no address"),
        (76, Fault(length="50000, 50000"), "no number: '50000, 50000'"),
        (77, Fault(length="9" * 5000), "no number: '999"),
        (28, Fault(body=bytes([image_of(50_000, seed=28)[0] ^ 4]) + image_of(50_000, seed=28)[1:]), "sha256"),
    ],
)
def test_what_another_try_would_not_mend_fails_at_once(
    agent: AgentProcess, seed: int, fault: Fault, reason: str
) -> None:
    shop = shop_of(agent)
    data = image_of(50_000, seed=seed)
    digest = shop.put(data, fault)
    agent.announce(digest, len(data))
    found = agent.await_image(digest, "failed")
    assert reason in found["reason"]
    assert len([path for path, _, _ in shop.asked if path.endswith(digest)]) == 1
    assert not list((agent.folder / "state" / "images").glob(f"{digest}*"))
    assert agent.write(digest, f"S{seed}")[1].json["type"] == "image-missing"
    # Announced again it is fetched again, and the server is well now.
    assert agent.announce(digest, len(data)).status == 202
    agent.await_image(digest, "ready")


def test_a_journal_that_fails_for_a_moment_ends_no_fetch(
    tmp_path: Path, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path / "journal.sqlite3")
    store = Store(journal, tmp_path / "images", None)
    tokens = Tokens(tmp_path / "tokens.json", REPORT, ())
    stop = Event()
    fetcher = Fetcher(store, tokens, f"{shop.url}/api/v1/writers/{WRITER}/files", stop)
    find = store.find

    def fail(digest: str) -> Stored | None:
        if not failing.is_set():
            return find(digest)
        asked.append(digest)
        raise sqlite3.OperationalError("disk I/O error")

    failing, asked = Event(), list[str]()
    monkeypatch.setattr(store, "find", fail)
    failing.set()
    fetcher.start()
    digests = [shop.put(image_of(5000, seed=seed)) for seed in (91, 92, 93)]
    for digest in digests:
        store.announce(digest, ImageOrder(layout=Layout.ISO, size=5000, name="P-1001"), utc_now())
    fetcher.want(digests)
    await_true(lambda: len(asked) >= 2 * len(digests))
    failing.clear()
    await_true(lambda: all((stored := find(digest)) and stored.state == "ready" for digest in digests))
    stop.set()
    fetcher.wake()
    fetcher.join(5)
    journal.close()


def test_a_proxys_page_in_place_of_the_rest_is_no_rest(agent: AgentProcess) -> None:
    data = image_of(2_500_000, seed=29)
    page = Fault(body=b"<html>Please log in</html>", content_type="text/html", no_range=True)
    digest = shop_of(agent).put(data, Fault(cut_after=1_000_000), page)
    agent.announce(digest, len(data))
    assert "HTML page" in agent.await_image(digest, "failed")["reason"]


@pytest.mark.slow
def test_a_network_that_falls_silent_in_mid_transfer_is_given_up_and_tried_again(start: Start, shop: Shop) -> None:
    agent = start(drives=1)
    data = image_of(3_000_000, seed=30)
    digest = shop.put(data, Fault(hold_after=HELD))
    agent.announce(digest, len(data))
    agent.await_image(digest, "ready", seconds=60)
    assert [asked for path, asked, _ in shop.asked if path.endswith(digest)] == [None, f"bytes={HELD}-"]


def test_a_redirect_elsewhere_is_followed_without_the_token(agent: AgentProcess) -> None:
    storage, shop = Shop(), shop_of(agent)
    try:
        data = image_of(50_000, seed=31)
        digest = storage.put(data)
        shop.put(data, Fault(location=f"{storage.url}/bucket/{digest}"))
        agent.announce(digest, len(data))
        agent.await_image(digest, "ready")
        assert storage.asked == [(f"/bucket/{digest}", None, None)]
        assert [token for path, _, token in shop.asked if path.endswith(digest)] == [f"Bearer {REPORT}"]
    finally:
        storage.close()


def test_purging_while_receiving_leaves_nothing_behind(agent: AgentProcess) -> None:
    shop = shop_of(agent)
    data = image_of(4_000_000, seed=41)
    digest = shop.put(data, Fault(hold_after=HELD))
    agent.announce(digest, len(data))
    await_true(lambda: agent.image(digest)["received"] == HELD)
    assert agent.call("DELETE", f"/v1/images/{digest}").status == 204
    shop.release()
    await_true(lambda: not list((agent.folder / "state" / "images").glob(f"{digest}*")))
    assert agent.call("GET", f"/v1/images/{digest}").status == 404
    assert agent.call("DELETE", f"/v1/images/{digest}").status == 404
    agent.announce(digest, len(data))
    agent.await_image(digest, "ready")


def test_content_is_served_whole_and_by_range(agent: AgentProcess) -> None:
    data = image_of(2_500_000, seed=51)
    digest = agent.have(data)
    path = f"/v1/images/{digest}/content"
    whole = agent.call("GET", path)
    assert (whole.status, whole.headers["etag"], digest_of(whole.raw)) == (200, f'"{digest}"', digest)
    for asked, expected, told in [
        ("bytes=0-9", data[:10], "bytes 0-9/2500000"),
        ("bytes=2499990-", data[-10:], "bytes 2499990-2499999/2500000"),
        ("bytes=-5", data[-5:], "bytes 2499995-2499999/2500000"),
        ("bytes=1500000-9999999", data[1_500_000:], "bytes 1500000-2499999/2500000"),
        ("bytes=0-", data, "bytes 0-2499999/2500000"),
    ]:
        part = agent.call("GET", path, headers={"Range": asked})
        assert (part.status, part.headers["content-range"], part.raw) == (206, told, expected)
    beyond = agent.call("GET", path, headers={"Range": "bytes=2500000-"})
    assert (beyond.status, beyond.headers["content-type"]) == (416, "application/problem+json")
    many = "9" * 5000
    for asked in ("cheese=1-2", f"bytes={many}-", f"bytes=-{many}", f"bytes=0-{many}", "bytes=١-"):
        assert agent.call("GET", path, headers={"Range": asked.encode().decode("latin-1")}).status == 200
    assert agent.call("GET", f"/v1/images/{'0' * 64}/content").status == 404


async def received(
    response: Response, between: Callable[[], None], meanwhile: Callable[[], None] = lambda: None
) -> bytes:
    """What is sent of it, after something happened `between` its making and its sending."""
    between()
    sent = b""

    async def send(message: Message) -> None:
        nonlocal sent
        meanwhile()
        sent += message.get("body", b"")

    async def receive() -> Message:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    await response({"type": "http", "method": "GET", "headers": [], "asgi": {"spec_version": "2.4"}}, receive, send)
    return sent


def test_an_image_that_is_purged_while_it_is_handed_out_goes_out_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "image"
    file.write_bytes(DATA)
    response = stream(file, len(DATA), "0" * 64, None)
    assert asyncio.run(received(response, file.unlink)) == DATA
    with pytest.raises(RefusedError, match="gone") as caught:
        stream(file, len(DATA), "0" * 64, None)
    assert caught.value.status == 404


def test_a_caller_who_leaves_keeps_no_file_open(tmp_path: Path) -> None:
    file = tmp_path / "image"
    file.write_bytes(DATA)

    def leave() -> None:
        raise ConnectionError

    response = stream(file, len(DATA), "0" * 64, None)
    with pytest.raises((ConnectionError, ClientDisconnect)):
        asyncio.run(received(response, lambda: None, leave))
    assert str(file) not in [str(each.resolve()) for each in Path("/proc/self/fd").iterdir()]


@pytest.mark.parametrize(
    ("digest", "body", "field"),
    [
        ("xyz", {"layout": "iso", "size": 1, "name": "n"}, "sha256"),
        ("A" * 64, {"layout": "iso", "size": 1, "name": "n"}, "sha256"),
        ("0" * 64, {"layout": "audio", "size": 1, "name": "n"}, "layout"),
        ("0" * 64, {"layout": "iso", "size": 0, "name": "n"}, "size"),
        ("0" * 64, {"layout": "iso", "size": 1}, "name"),
        ("0" * 64, {"layout": "iso", "size": 1, "name": "n", "more": 1}, "more"),
        ("0" * 64, b"{not json", "body"),
        ("0" * 64, b"[]", "body"),
        ("0" * 64, b'{"layout": "iso", "size": 1, "name": "\\ud800"}', "name"),
    ],
)
def test_a_bad_announcement_names_the_field(agent: AgentProcess, digest: str, body: object, field: str) -> None:
    answer = agent.call("PUT", f"/v1/images/{digest}", body)
    assert (answer.status, answer.json["type"], answer.json["field"]) == (422, "invalid", field)


def test_what_does_not_fit_is_refused_before_it_is_fetched(start: Start, shop: Shop) -> None:
    agent = start(disk_limit=100_000)
    agent.have(image_of(60_000))
    second = shop.put(image_of(50_000, seed=2))
    answer = agent.announce(second, 50_000)
    assert (answer.status, answer.json["type"]) == (507, "spool-area-full")
    assert agent.call("GET", f"/v1/images/{second}").status == 404
    assert agent.announce(second, 10**30).status == 507
    assert agent.state()["disk"] == {"capacity": 100_000, "free": 40_000}
    assert agent.call("DELETE", f"/v1/images/{digest_of(image_of(60_000))}").status == 204
    assert agent.announce(second, 50_000).status == 202


def test_without_a_server_nothing_can_be_fetched(start: Start) -> None:
    agent = start(shop=None)
    agent.announce("0" * 64, 10)
    assert "no [server] url" in agent.await_image("0" * 64, "failed")["reason"]


def test_a_fetch_goes_on_after_kill_9_where_it_was(start: Start, shop: Shop) -> None:
    agent = start()
    data = image_of(3_000_000, seed=61)
    digest = shop.put(data, Fault(hold_after=HELD))
    agent.announce(digest, len(data))
    await_true(lambda: agent.image(digest)["received"] == HELD)
    agent.kill()
    shop.release()
    agent.start()
    agent.await_image(digest, "ready")
    assert [asked for path, asked, _ in shop.asked if path.endswith(digest)] == [None, f"bytes={HELD}-"]


def test_a_part_that_was_spoilt_while_the_agent_was_dead_is_never_used(start: Start, shop: Shop) -> None:
    agent = start()
    data = image_of(3_000_000, seed=62)
    digest = shop.put(data, Fault(hold_after=HELD))
    agent.announce(digest, len(data))
    await_true(lambda: agent.image(digest)["received"] == HELD)
    agent.kill()
    shop.release()
    part = agent.folder / "state" / "images" / f"{digest}.part"
    part.write_bytes(b"x" + part.read_bytes()[1:])
    agent.start()
    assert "sha256" in agent.await_image(digest, "failed")["reason"]
    agent.announce(digest, len(data))
    agent.await_image(digest, "ready")


def test_a_ready_image_that_is_gone_at_the_start_is_fetched_again(start: Start, shop: Shop) -> None:
    agent = start()
    digest = agent.have(image_of(5000))
    agent.kill()
    (agent.folder / "state" / "images" / digest).unlink()
    (agent.folder / "state" / "images" / "left-over").write_text("nobody announced this")
    agent.start()
    agent.await_image(digest, "ready")
    assert not (agent.folder / "state" / "images" / "left-over").exists()
