"""Reports: when they come, what they carry, and what their answers do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from devices.agent.wire import State
from tests.devices.agent.plant import AgentProcess, Shop, await_true, digest_of, image_of

Start = Callable[..., AgentProcess]


def is_done(report: dict[str, Any]) -> bool:
    return any(write["state"] in ("done", "cancelled") for write in report["writes"])


def test_a_report_is_the_whole_state_and_tells_images_only_when_they_changed(start: Start, shop: Shop) -> None:
    agent = start()
    first = shop.await_report(lambda _: True)
    State.model_validate(first)
    assert first["images"] == []
    assert first["name"] == "Writer 1"
    assert first["kind"] == "xorriso"
    assert [drive["formats"] for drive in first["drives"]] == [["cd", "dvd"]] * 2
    assert first["blanks"][0] == {"format": "cd", "kind": "CD-R", "bin": "d1", "remaining": 100}
    image = agent.have(image_of(5000))
    told = shop.await_report(lambda report: [i["state"] for i in report.get("images") or []] == ["ready"])
    assert told["images"][0]["sha256"] == image
    agent.call("POST", "/v1/drives/d1/drain")
    later = shop.await_report(lambda report: report["drives"][0]["reasons"] == ["paused"])
    assert "images" not in later
    assert later["images_digest"] == told["images_digest"]
    shop.answer = lambda _: {"want": ["images"]}
    agent.call("POST", "/v1/drives/d1/resume")
    again = shop.await_report(lambda r: r["sequence"] > later["sequence"] and r.get("images"))
    assert again["images"] == told["images"]


def test_a_recorded_write_leaves_the_state_but_not_the_journal(start: Start, shop: Shop) -> None:
    agent = start(drives=1)
    image = agent.have(image_of(5000))
    # The answer names a write that is still open as well: it has to stay.
    shop.answer = lambda report: {"recorded": [write["uuid"] for write in report["writes"]]}
    uuid, _ = agent.write(image, "AAA")
    shop.await_report(is_done)
    await_true(lambda: agent.state()["writes"] == [])
    shop.await_report(lambda report: report["writes"] == [] and report["blanks"][0]["remaining"] == 99)
    assert agent.discs(uuid)["AAA"]["state"] == "good"
    agent.kill()
    agent.start()
    assert agent.state()["writes"] == []
    assert agent.write(image, "AAA", uuid=uuid)[1].status == 200
    assert agent.write(image, "AAA")[1].json["type"] == "serial-used"
    assert agent.write(image, "BBB", uuid=uuid)[1].json["type"] == "different-body"


def test_no_disc_begins_before_a_report_of_this_boot_was_answered_200(start: Start, shop: Shop) -> None:
    shop.report_status, shop.report_type = 409, "second-agent"
    agent = start(drives=1)
    uuid, answer = agent.write(agent.have(image_of(5000)), "AAA")
    assert answer.status == 201
    seen = len(shop.reports)
    shop.await_report(lambda _: len(shop.reports) > seen)
    assert agent.discs(uuid)["AAA"]["state"] == "planned"
    assert not agent.disc("AAA").exists()
    shop.report_status = 200
    assert agent.await_write(uuid)["AAA"]["state"] == "good"
    log = agent.log.read_text()
    assert log.count("does not accept this journal or boot (409 second-agent)") == 1


def test_what_waits_in_a_lost_journal_is_given_up_and_never_begins(start: Start, shop: Shop) -> None:
    """It may be an older copy, and the disc lie on the shelf already: an operator's resume must not write it again."""
    shop.report_status = 409
    agent = start(drives=1)
    image = agent.have(image_of(5000))
    uuid, _ = agent.write(image, "AAA")
    assert agent.await_write(uuid, "cancelled")["AAA"]["state"] == "cancelled"
    shop.report_status = 200
    later, _ = agent.write(image, "BBB")
    assert agent.await_write(later)["BBB"]["state"] == "good"
    assert not agent.disc("AAA").exists()


def test_without_a_server_address_discs_begin_at_once(start: Start, shop: Shop) -> None:
    agent = start(drives=1)
    image = agent.have(image_of(5000))
    agent.kill()
    agent.shop = None
    agent.start()
    uuid, _ = agent.write(image, "AAA")
    assert agent.await_write(uuid)["AAA"]["state"] == "good"


def test_a_started_disc_is_finished_without_the_server_and_told_later(start: Start, shop: Shop) -> None:
    agent = start(drives=1)
    image = agent.have(image_of(5000))
    shop.report_status = 503
    uuid, _ = agent.write(image, "AAA")
    assert agent.await_write(uuid)["AAA"]["state"] == "good"
    await_true(lambda: "the server is not well (503)" in agent.log.read_text())
    shop.report_status = 200
    shop.answer = lambda report: {"recorded": [write["uuid"] for write in report["writes"]]}
    await_true(lambda: agent.state()["writes"] == [])
    log = agent.log.read_text()
    assert log.count("the server is not well (503)") == 1
    assert "the server takes them again" in log


def test_a_wrong_report_token_is_told_once_with_the_remedy(start: Start, shop: Shop) -> None:
    agent = start(report="wrong-token")
    await_true(lambda: len(shop.report_tokens) >= 3)
    log = agent.log.read_text()
    assert log.count("set [server] token") == 1
    assert "wrong-token" not in log


def test_refused_for_good_it_finishes_its_disc_and_begins_no_other(start: Start, shop: Shop) -> None:
    """A revoked writer: what it began would be booked nowhere."""
    agent = start(drives=1, speed="45c")
    uuid, _ = agent.write(agent.have(image_of(18_000_000)), "RUNS", "WAITS")
    agent.await_disc(uuid, "RUNS", "started")
    shop.report_status = 401
    await_true(lambda: "no new disc begins" in agent.log.read_text())
    agent.await_disc(uuid, "RUNS", "good")
    told = shop.await_report(lambda report: report["writes"] and report["writes"][0]["discs"][0]["state"] == "good")
    assert told["writes"][0]["discs"][1]["state"] == "planned"
    log = agent.log.read_text()
    assert (log.count("no new disc begins"), "enrol --again" in log) == (1, True)


def test_a_server_that_says_more_than_this_agent_knows_is_understood(start: Start, shop: Shop) -> None:
    shop.answer = lambda report: {
        "recorded": [write["uuid"] for write in report["writes"]],
        "weather": {"rain": 0.3},
    }
    agent = start(drives=1)
    uuid, _ = agent.write(agent.have(image_of(5000)), "AAA")
    agent.await_write(uuid)
    await_true(lambda: agent.state()["writes"] == [])


def test_the_report_token_rotates_and_the_old_one_holds_until_then(start: Start, shop: Shop) -> None:
    shop.answer = lambda _: {"report_token": "report-token-2"}
    shop.good_tokens.add("report-token-2")
    agent = start()
    agent.call("POST", "/v1/drives/d1/drain")
    await_true(lambda: "report-token-2" in shop.report_tokens)
    shop.answer = lambda _: {}
    shop.good_tokens = {"report-token-2"}
    agent.kill()
    agent.start()
    seen = len(shop.report_tokens)
    await_true(lambda: len(shop.report_tokens) > seen)
    assert set(shop.report_tokens[seen:]) == {"report-token-2"}
    assert (agent.folder / "state" / "tokens.json").stat().st_mode & 0o777 == 0o600


def test_a_new_report_token_that_the_server_forgot_falls_back_to_the_old(start: Start, shop: Shop) -> None:
    shop.answer = lambda _: {"report_token": "never-good"}
    agent = start()
    agent.call("POST", "/v1/drives/d1/drain")
    await_true(lambda: "never-good" in shop.report_tokens)
    shop.await_report(lambda report: report["drives"][0]["reasons"] == ["paused"])


def test_the_command_token_rotates_when_the_new_one_is_used(start: Start, shop: Shop) -> None:
    agent = start()
    old, new = agent.command, "command-token-2"
    assert agent.call("GET", "/v1/state", token=new).status == 401
    shop.answer = lambda _: {"command_token_sha256": digest_of(new.encode())}
    agent.call("POST", "/v1/drives/d1/drain")
    shop.await_report(lambda report: report["drives"][0]["reasons"] == ["paused"])
    await_true(lambda: (agent.folder / "state" / "tokens.json").exists())
    agent.kill()
    agent.start()
    assert agent.call("GET", "/v1/state", token=old).status == 200
    assert agent.call("GET", "/v1/state", token=new).status == 200
    assert agent.call("GET", "/v1/state", token=old).status == 401
    agent.kill()
    agent.start()
    assert agent.call("GET", "/v1/state", token=old).status == 401
    assert agent.call("GET", "/v1/state", token=new).status == 200
