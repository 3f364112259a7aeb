"""Enrolment: one command makes an agent a writer, also one that runs; what can go wrong is said in one line."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from devices.agent import handover
from devices.agent.__main__ import main
from devices.agent.config import read_config
from devices.agent.enrol import EnrolError, own_address
from tests.devices.agent.plant import COMMAND, WRITER, AgentProcess, Shop, digest_of, image_of

Start = Callable[..., AgentProcess]
NEW = UUID("5f0c0000-0000-4000-8000-000000000002")
SECRET = "report-token-of-enrolment"


def answer_of(writer: UUID = WRITER, token: str = SECRET, command: str = COMMAND) -> tuple[int, dict[str, Any]]:
    digest = digest_of(command.encode())
    return 201, {"writer": str(writer), "report_token": token, "command_token_sha256": digest}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def enrol(folder: Path, shop: Shop, code: str, *more: str) -> int:
    return main(["enrol", "--server", shop.url, "--code", code, "--config", str(folder / "agent.toml"), *more])


def test_an_agent_that_runs_becomes_a_writer_without_a_restart(
    start: Start, shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    agent = start(enrolled=False, advertise=True, listen=f"127.0.0.1:{port}", drives=1)
    stranger = agent.call("GET", "/v1/state")
    assert (stranger.status, stranger.json["type"]) == (401, "unauthorized")
    assert stranger.json["agent"] == {
        "writer": None, "name": "Writer 1", "kind": "xorriso", "disks": 1, "sources": 0, "copiers": 1,
    }  # fmt: skip
    assert agent.call("GET", "/v1/openapi.json").status == 200
    assert "not enrolled" in agent.log.read_text()
    shop.enrolments["GOOD"] = answer_of()
    shop.good_tokens = {SECRET}
    assert enrol(agent.folder, shop, " GOOD ") == 0
    assert f"as writer {WRITER}; it will be called at http://127.0.0.1:{port}." in capsys.readouterr().out
    (order,) = shop.enrolled
    assert order == {
        "code": "GOOD", "name": "Writer 1", "address": f"http://127.0.0.1:{port}", "kind": "xorriso",
    }  # fmt: skip
    report = shop.await_report(lambda _: True)
    assert (report["writer"], set(shop.report_tokens)) == (str(WRITER), {SECRET})
    uuid, answer = agent.write(agent.have(image_of(5000)), "AAA")
    assert answer.status == 201
    assert agent.await_write(uuid)["AAA"]["state"] == "good"
    assert agent.call("GET", "/v1/state", token="other").json["agent"]["writer"] == str(WRITER)
    kept = agent.folder / "state" / "enrolment.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert SECRET not in agent.log.read_text()
    agent.kill()
    agent.start()
    assert agent.state()["writer"] == str(WRITER)
    # Once is enough, unless it is meant.
    assert enrol(agent.folder, shop, "GOOD") == 2
    assert f"already enrolled at {shop.url} as writer {WRITER}" in capsys.readouterr().err
    assert len(shop.enrolled) == 1


def test_enrolled_anew_it_finishes_its_disc_and_gives_up_what_the_former_writer_asked_for(
    start: Start, shop: Shop, tmp_path: Path
) -> None:
    agent = start(enrolled=False, listen=f"127.0.0.1:{free_port()}", drives=1, speed="45c")
    shop.enrolments |= {"ONE": answer_of(), "TWO": answer_of(NEW, "second-token", "second-command")}
    shop.good_tokens = {SECRET, "second-token"}
    enrol(agent.folder, shop, "ONE")
    agent.await_let_in()
    journal = agent.state()["journal_id"]
    image = agent.have(image_of(18_000_000))
    uuid, _ = agent.write(image, "RUNS", "WAITS")
    agent.await_disc(uuid, "RUNS", "started")
    shop.writers = {WRITER, NEW}
    shop.answer = lambda report: {"recorded": [write["uuid"] for write in report["writes"]]}
    assert enrol(agent.folder, shop, "TWO", "--again", "--name", "Writer anew", "--address", "http://192.0.2.9:1") == 0
    assert (shop.enrolled[1]["name"], shop.enrolled[1]["address"]) == ("Writer anew", "http://192.0.2.9:1")
    # The former server learns how it ended, then the new one hears of an agent with nothing to do.
    former = shop.await_report(lambda report: any(write["state"] == "cancelled" for write in report["writes"]))
    states = [disc["state"] for disc in former["writes"][0]["discs"]]
    assert (former["writer"], states) == (str(WRITER), ["good", "cancelled"])
    first = shop.await_report(lambda report: report["writer"] == str(NEW))
    assert (first["writes"], first["journal_id"]) == ([], journal)
    agent.command = "second-command"
    agent.await_let_in()
    assert agent.write(image, "RUNS")[1].json["type"] == "serial-used"


def test_what_the_former_server_was_not_told_is_named_and_not_told_to_the_new_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from tests.devices.agent.test_ledger import NOW, open_journal, order  # noqa: PLC0415 — its journal, ready made

    journal, ledger, _ = open_journal(tmp_path / "journal.sqlite3")
    handover.become(journal, WRITER, NOW)
    ledger.accept(uuid4(), order("A", "B"), NOW)
    ledger.start(ledger.planned()[0], "d1", (), NOW)
    ledger.recover(NOW)
    handover.become(journal, WRITER, NOW)
    assert len(ledger.unrecorded()) == 1
    handover.become(journal, NEW, NOW)
    assert (ledger.unrecorded(), ledger.planned()) == ((), [])
    assert "disc A: unknown; the former writer's server was not told" in caplog.text
    assert "disc B" not in caplog.text
    journal.close()


BARE = """
[writer]
name = "Writer 1"
listen = "{listen}"
[driver]
name = "xorriso"
[[driver.drives]]
id = "d1"
device = "stdio:discs/{{serial}}.img"
kinds = ["CD-R"]
"""


def bare(folder: Path, listen: str = "127.0.0.1:9101", more: str = "") -> Path:
    (folder / "agent.toml").write_text(BARE.format(listen=listen) + more)
    return folder


@pytest.mark.parametrize(
    ("status", "answer", "told"),
    [
        (422, {"type": "invalid", "detail": "There is no such code.", "field": "code"},
         "refuses (422): There is no such code; get a new code on the server's page"),
        (422, {"type": "invalid", "detail": "This address is not in the allowed networks.", "field": "address"},
         "not in the allowed networks; give --address"),
        (409, {"type": "invalid", "detail": "The code was used."}, "The code was used; check what you typed, or get"),
        (404, {}, "takes no enrolments (404): is it the shop's address?"),
        (500, {"detail": "oh"}, "is not well (500): try again"),
        (301, {"location": "https://shop.example/"}, "sends us on to https://shop.example/: give that address"),
        (200, {"hello": 1}, "answered something else: is it the shop's address, and of one release?"),
        (201, {"writer": str(WRITER), "report_token": "x", "command_token_sha256": "no"}, "answered something else"),
    ],
)  # fmt: skip
def test_a_refusal_is_one_line_with_a_remedy(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str], status: int, answer: dict[str, Any], told: str
) -> None:
    shop.enrolments["CODE"] = (status, answer)
    assert enrol(bare(tmp_path), shop, "CODE") == 2
    said = capsys.readouterr().err
    assert told in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "state" / "enrolment.json").exists()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ('[accept]\ntokens_sha256 = ["' + "0" * 64 + '"]\n', "agent.toml says [accept] tokens_sha256, which wins"),
        ('[server]\nurl = "http://127.0.0.1:1"\ntoken = "t"\n', "agent.toml says [server] token, which wins"),
        (
            '[server]\nurl = "http://127.0.0.1:1"\n',
            "agent.toml says [server] url = 'http://127.0.0.1:1': give that one",
        ),
    ],
)
def test_what_would_win_over_it_is_named_before_the_code_is_spent(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: str, told: str
) -> None:
    assert enrol(bare(tmp_path, more=more), shop, "CODE") == 2
    assert told in capsys.readouterr().err
    assert shop.enrolled == []


@pytest.mark.parametrize(
    ("server", "told"),
    [
        ("shop.example", "--server: 'shop.example' is not an address"),
        ("http://127.0.0.1:{closed}", "can't be reached"),
        ("https://127.0.0.1:{open}", "doesn't speak TLS as it should"),
        ("http://no-such-host.invalid", "--server: no-such-host.invalid can't be reached"),
    ],
)
def test_a_server_that_cannot_be_asked(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str], server: str, told: str
) -> None:
    url = server.format(closed=free_port(), open=shop.server_address[1])
    bare(tmp_path)
    assert main(["enrol", "--server", url, "--code", "C", "--config", str(tmp_path / "agent.toml")]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("listen", "server", "address"),
    [
        ("127.0.0.1:9101", "http://127.0.0.1:8000", "http://127.0.0.1:9101"),
        ("0.0.0.0:9101", "http://127.0.0.1:8000", "http://127.0.0.1:9101"),
        ("192.0.2.7:9101", "http://127.0.0.1:8000", "http://192.0.2.7:9101"),
        ("[::]:9101", "http://[::1]:8000", "http://[::1]:9101"),
        ("writer-1.example:9101", "http://127.0.0.1:8000", "http://writer-1.example:9101"),
        ("127.0.0.1:0", "http://127.0.0.1:8000", None),
    ],
)
def test_the_address_is_the_one_towards_the_server(
    tmp_path: Path, listen: str, server: str, address: str | None
) -> None:
    config = read_config(bare(tmp_path, listen) / "agent.toml")
    if address is None:
        with pytest.raises(EnrolError, match="port 0"):
            own_address(config, server)
    else:
        assert own_address(config, server) == address


def test_an_agent_that_listens_to_itself_alone_is_told_what_to_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = read_config(bare(tmp_path) / "agent.toml")
    monkeypatch.setattr("devices.agent.enrol._way", lambda _: ("192.0.2.7", "192.0.2.1"))
    with pytest.raises(EnrolError, match=r'say listen = "0.0.0.0:9101", or give --address'):
        own_address(config, "http://192.0.2.1")


def test_a_damaged_enrolment_ends_the_program_with_the_remedy(
    shop: Shop, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shop.enrolments["CODE"] = answer_of()
    enrol(bare(tmp_path), shop, "CODE")
    kept = tmp_path / "state" / "enrolment.json"
    assert json.loads(kept.read_text())["server"] == shop.url
    kept.write_text("{")
    assert enrol(tmp_path, shop, "CODE") == 2
    assert "is damaged; enrol this agent anew, with --again" in capfd.readouterr().err
    assert enrol(tmp_path, shop, "CODE", "--again") == 0
