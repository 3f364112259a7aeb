"""Writes over the real wire, on xorriso's pseudo drives."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.devices.agent.plant import AgentProcess, Fault, Shop, await_true, image_of

Start = Callable[..., AgentProcess]


def test_discs_are_written_on_several_drives_and_verified(start: Start, shop: Shop) -> None:
    data = image_of(2_000_000)
    agent = start()
    image = agent.have(data)
    uuid, answer = agent.write(image, "AAA", "BBB", "CCC")
    assert answer.status == 201
    assert [disc["serial"] for disc in answer.json["discs"]] == ["AAA", "BBB", "CCC"]
    discs = agent.await_write(uuid)
    assert [(disc["state"], disc["verified"], disc["blame"]) for disc in discs.values()] == [
        ("good", "digest", None)
    ] * 3
    assert {disc["drive"] for disc in discs.values()} == {"d1", "d2"}
    for serial, disc in discs.items():
        assert agent.disc(serial).read_bytes()[: len(data)] == data
        assert disc["started_at"] < disc["finished_at"]
    bins = {(bin_["bin"], bin_["format"]): bin_["remaining"] for bin_ in agent.state()["blanks"]}
    assert bins["d1", "cd"] + bins["d2", "cd"] == 197
    assert (bins["d1", "dvd"], bins["d2", "dvd"]) == (100, 100)
    final = shop.await_report(lambda report: any(write["state"] == "done" for write in report["writes"]))
    assert final["writes"][0]["uuid"] == str(uuid)


def test_an_image_that_is_no_whole_number_of_sectors_is_verified_over_its_own_length(shared: AgentProcess) -> None:
    agent = shared
    uuid, _ = agent.write(agent.have(image_of(10_001)), "ODD")
    assert agent.await_write(uuid)["ODD"]["verified"] == "digest"


def test_the_same_write_again_answers_200_and_writes_nothing_more(shared: AgentProcess) -> None:
    agent = shared
    image = agent.have(image_of(5000))
    uuid, first = agent.write(image, "SAME-AAA")
    assert first.status == 201
    agent.await_write(uuid)
    written = agent.disc("SAME-AAA").stat().st_mtime_ns
    _, again = agent.write(image, "SAME-AAA", uuid=uuid, verify=True)  # a default spelt out is the same body
    assert (again.status, again.json["state"]) == (200, "done")
    assert agent.disc("SAME-AAA").stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("change", "status", "type_", "field"),
    [
        ({"format": "bd"}, 422, "invalid", "format"),
        ({"format": "vinyl"}, 422, "invalid", "format"),
        ({"discs": []}, 422, "invalid", "discs"),
        ({"discs": [{"serial": "small letters"}]}, 422, "invalid", "discs.0.serial"),
        ({"discs": [{"serial": "AAA"}, {"serial": "AAA"}]}, 422, "invalid", "discs"),
        ({"drive": "d9"}, 422, "invalid", "drive"),
        ({"speed": "fast"}, 422, "invalid", "speed"),
        *(({"speed": speed}, 422, "invalid", "speed") for speed in ("0", "0c", "0.0d", f"0.{'0' * 400}1b")),
        ({"image": "not a digest"}, 422, "invalid", "image"),
        ({"copies": 3}, 422, "invalid", "copies"),
        ({"image": "0" * 64}, 409, "image-missing", None),
        ({"discs": [{"serial": "AAA", "face": "1" * 64}]}, 409, "face-missing", None),
        ({"discs": [{"serial": "USED"}]}, 409, "serial-used", None),
    ],
)
def test_a_write_that_cannot_be_followed_is_refused(
    prepared: tuple[AgentProcess, str], change: dict[str, object], status: int, type_: str, field: str | None
) -> None:
    agent, image = prepared
    body = {"image": image, "format": "cd", "discs": [{"serial": "NEW"}], **change}
    uuid = uuid4()
    answer = agent.call("PUT", f"/v1/writes/{uuid}", body)
    assert (answer.status, answer.json["type"], answer.json["field"]) == (status, type_, field)
    assert answer.headers["content-type"] == "application/problem+json"
    assert agent.call("GET", f"/v1/writes/{uuid}").status == 404


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentProcess]:
    """One agent for what needs none of its own."""
    shop = Shop()
    agent = AgentProcess(tmp_path_factory.mktemp("shared"), shop)
    try:
        yield agent.start()
    finally:
        agent.clean_up()
        shop.close()


@pytest.fixture(scope="module")
def prepared(shared: AgentProcess) -> tuple[AgentProcess, str]:
    """An image that is ready, and a serial that is used."""
    image = shared.have(image_of(5001))
    shared.write(image, "USED")
    return shared, image


def test_another_body_another_journal_and_a_purged_image_are_conflicts(shared: AgentProcess) -> None:
    agent = shared
    image = agent.have(image_of(5000, seed=5))
    uuid, _ = agent.write(image, "OTHER-AAA")
    assert agent.write(image, "OTHER-BBB", uuid=uuid)[1].json["type"] == "different-body"
    journal = agent.state()["journal_id"]
    body = {"image": image, "format": "cd", "discs": [{"serial": "OTHER-CCC"}]}
    other = agent.call("PUT", f"/v1/writes/{uuid4()}", body, headers={"Spindle-Journal": str(uuid4())})
    assert (other.status, other.json["type"]) == (409, "other-journal")
    right = agent.call("PUT", f"/v1/writes/{uuid4()}", body, headers={"Spindle-Journal": journal})
    assert right.status == 201
    await_true(lambda: {w["state"] for w in agent.state()["writes"]} == {"done"})
    assert agent.call("DELETE", f"/v1/images/{image}").status == 204
    assert agent.write(image, "OTHER-DDD")[1].json["type"] == "image-missing"


def test_cancelling_gives_up_what_is_not_started_and_finishes_the_rest(start: Start) -> None:
    agent = start(drives=1, speed="45c")
    image = agent.have(image_of(18_000_000))
    uuid, _ = agent.write(image, "RUNS", "WAITS")
    agent.await_disc(uuid, "RUNS", "started")
    assert agent.call("DELETE", f"/v1/images/{image}").json["type"] == "image-in-use"
    assert agent.call("DELETE", f"/v1/writes/{uuid}").status == 202
    found = agent.found(uuid)
    assert (found["state"], [disc["state"] for disc in found["discs"]]) == ("writing", ["started", "cancelled"])
    discs = agent.await_write(uuid, "cancelled")
    assert discs["RUNS"]["state"] == "good"
    assert discs["WAITS"]["started_at"] is None
    assert not agent.disc("WAITS").exists()
    assert agent.state()["blanks"][0]["remaining"] == 99
    assert agent.write(image, "RUNS", "WAITS", uuid=uuid)[1].status == 200


def test_a_write_cancelled_before_it_came_is_refused_later(shared: AgentProcess) -> None:
    agent = shared
    uuid = uuid4()
    assert agent.call("DELETE", f"/v1/writes/{uuid}").status == 202
    assert agent.call("DELETE", f"/v1/writes/{uuid}").status == 202
    image = agent.have(image_of(5000))
    answer = agent.write(image, "GONE-AAA", uuid=uuid)[1]
    assert (answer.status, answer.json["type"]) == (409, "cancelled")
    assert str(uuid) not in [write["uuid"] for write in agent.state()["writes"]]


def test_without_verification_a_disc_is_good_with_none(shared: AgentProcess) -> None:
    agent = shared
    uuid, _ = agent.write(agent.have(image_of(5000)), "NOVERIFY-AAA", verify=False)
    disc = agent.await_write(uuid)["NOVERIFY-AAA"]
    assert (disc["state"], disc["verified"]) == ("good", "none")


def test_a_named_drive_writes_all_discs_and_a_drained_one_is_reserved(start: Start) -> None:
    agent = start()
    image = agent.have(image_of(5000))
    uuid, _ = agent.write(image, "AAA", "BBB", drive="d2")
    assert {disc["drive"] for disc in agent.await_write(uuid).values()} == {"d2"}
    assert agent.call("POST", "/v1/drives/d2/drain").status == 202
    assert agent.write(image, "CCC", drive="d2")[1].json["type"] == "drive-reserved"
    drive = agent.drive("d2")
    assert (drive["state"], drive["reasons"]) == ("stopped", ["paused"])
    agent.kill()
    agent.start()
    assert agent.drive("d2")["reasons"] == ["paused"]
    assert agent.call("POST", "/v1/drives/d2/resume").json["state"] == "idle"
    assert agent.write(image, "CCC", drive="d2")[1].status == 201
    assert agent.call("POST", "/v1/drives/d9/drain").status == 404


def test_a_face_has_to_be_there_and_is_kept_while_it_is_wanted(shared: AgentProcess) -> None:
    agent = shared
    image = agent.have(image_of(5000))
    face = agent.have(b"%PDF-1.7 a face", layout="face")
    discs = [{"serial": "FACE-AAA", "face": face}]
    body = {"image": image, "format": "cd", "discs": discs}
    uuid = uuid4()
    assert agent.call("PUT", f"/v1/writes/{uuid}", body).status == 201
    assert agent.await_write(uuid)["FACE-AAA"]["state"] == "good"
    # A face is not an image to write, nor the other way round.
    wrong = {"image": face, "format": "cd", "discs": [{"serial": "FACE-BBB"}]}
    assert agent.call("PUT", f"/v1/writes/{uuid4()}", wrong).json["field"] == "image"


def test_an_empty_bin_takes_nothing_until_another_load_is_configured(start: Start) -> None:
    agent = start(drives=1, blanks=1)
    image = agent.have(image_of(5000))
    uuid, _ = agent.write(image, "AAA", "BBB")
    agent.await_disc(uuid, "AAA", "good")
    await_true(lambda: agent.drive("d1")["reasons"] == ["media-empty"])
    agent.kill()
    agent.start()
    assert agent.drive("d1")["reasons"] == ["media-empty"]
    assert agent.discs(uuid)["BBB"]["state"] == "planned"
    agent.kill()
    agent.blanks = 5
    agent.start()
    assert agent.await_write(uuid)["BBB"]["state"] == "good"
    assert [bin_["remaining"] for bin_ in agent.state()["blanks"]] == [4, 5]


def test_uncounted_blanks_are_told_as_unknown(start: Start) -> None:
    agent = start(drives=1, blanks=None)
    uuid, _ = agent.write(agent.have(image_of(5000)), "AAA")
    agent.await_write(uuid)
    assert [bin_["remaining"] for bin_ in agent.state()["blanks"]] == [None, None]


def test_a_used_medium_is_left_alone_and_costs_no_blank(start: Start) -> None:
    agent = start()
    (agent.folder / "discs").mkdir()
    agent.disc("AAA").write_bytes(b"somebody's disc")
    uuid, _ = agent.write(agent.have(image_of(5000)), "AAA", "BBB")
    discs = agent.await_write(uuid)
    assert (discs["AAA"]["state"], discs["AAA"]["blame"], discs["AAA"]["started_at"]) == ("bad", "medium", None)
    assert "medium-used" in discs["AAA"]["reason"]
    assert discs["BBB"]["state"] == "good"
    assert agent.disc("AAA").read_bytes() == b"somebody's disc"
    assert sum(bin_["remaining"] for bin_ in agent.state()["blanks"] if bin_["format"] == "cd") == 199


def test_a_drive_that_cannot_be_written_costs_no_blank_and_blames_the_drive(start: Start, tmp_path: Path) -> None:
    (tmp_path / "in-the-way").write_text("a file where the folder should be")
    agent = start(drives=1, device="stdio:../in-the-way/{serial}.img")
    uuid, _ = agent.write(agent.have(image_of(5000)), "AAA")
    disc = agent.await_write(uuid)["AAA"]
    assert (disc["state"], disc["blame"], disc["started_at"]) == ("bad", "drive", None)
    assert "can't be written" in disc["reason"]
    drive = agent.drive("d1")
    assert (drive["state"], drive["reasons"]) == ("stopped", ["writer-failure"])
    assert agent.state()["blanks"][0]["remaining"] == 100


def test_a_missing_real_drive_is_a_broken_drive(start: Start) -> None:
    agent = start(drives=1, device="/dev/sr93")
    uuid, _ = agent.write(agent.have(image_of(5000)), "AAA")
    disc = agent.await_write(uuid)["AAA"]
    assert (disc["state"], disc["blame"], disc["started_at"]) == ("bad", "drive", None)


def test_an_image_changed_on_the_disk_is_not_written(start: Start) -> None:
    agent = start(drives=1, blanks=2)
    image = agent.have(image_of(5000))
    assert agent.call("POST", "/v1/drives/d1/drain").status == 202
    uuid, _ = agent.write(image, "AAA")
    (agent.folder / "state" / "images" / image).write_bytes(image_of(5000, seed=2))
    agent.call("POST", "/v1/drives/d1/resume")
    disc = agent.await_write(uuid)["AAA"]
    assert (disc["state"], disc["blame"], disc["started_at"]) == ("bad", "job", None)
    assert "image-missing" in disc["reason"]
    assert agent.image(image)["state"] == "failed"
    assert agent.state()["blanks"][0]["remaining"] == 2


def test_a_vanished_image_is_missing_for_a_new_write_and_can_be_had_again(shared: AgentProcess) -> None:
    agent = shared
    data = image_of(5000)
    image = agent.have(data)
    (agent.folder / "state" / "images" / image).unlink()
    assert agent.write(image, "VANISHED-AAA")[1].json["type"] == "image-missing"
    agent.have(data)
    assert agent.write(image, "VANISHED-AAA")[1].status == 201


def with_xorriso(folder: Path, script: str) -> dict[str, str]:
    """A PATH on which xorriso is the real one with something added: a bad burner."""
    folder.mkdir()
    program = folder / "xorriso"
    program.write_text(
        f'#!/bin/sh\nfor word in "$@"; do case $word in dev=stdio:*) disc=${{word#dev=stdio:}};; esac; done\n{script}\n'
    )
    program.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_what_reads_back_otherwise_is_bad_and_three_in_a_row_stop_the_drive(start: Start, tmp_path: Path) -> None:
    script = '/usr/bin/xorriso "$@" && printf spoilt | dd of="$disc" bs=1 seek=3000 conv=notrunc status=none'
    agent = start(drives=1, environment=with_xorriso(tmp_path / "bad", script))
    uuid, _ = agent.write(agent.have(image_of(5000)), "AAA", "BBB", "CCC", "DDD")
    discs = agent.await_write(uuid)
    assert [(disc["state"], disc["blame"]) for disc in discs.values()] == [
        ("bad", "medium"),
        ("bad", "medium"),
        ("bad", "medium"),
        ("bad", "drive"),
    ]
    assert "verify-mismatch" in discs["AAA"]["reason"]
    assert discs["DDD"]["started_at"] is None
    drive = agent.drive("d1")
    assert (drive["state"], drive["reasons"]) == ("stopped", ["writer-failure"])
    assert agent.state()["blanks"][0]["remaining"] == 97
    assert agent.call("POST", "/v1/drives/d1/resume").json["state"] == "idle"


def test_a_burner_that_fails_is_told_with_its_own_words(start: Start, tmp_path: Path) -> None:
    script = 'echo "xorriso : FAILURE : The laser is tired" >&2; exit 5'
    agent = start(drives=1, environment=with_xorriso(tmp_path / "bad", script))
    uuid, _ = agent.write(agent.have(image_of(5000)), "AAA")
    disc = agent.await_write(uuid)["AAA"]
    assert (disc["state"], disc["blame"]) == ("bad", "drive")
    assert disc["reason"] == "xorriso failed (exit 5): The laser is tired"
    assert disc["started_at"] is not None


def test_a_burner_that_writes_nothing_and_says_fine_makes_no_good_disc(start: Start, tmp_path: Path) -> None:
    agent = start(drives=1, environment=with_xorriso(tmp_path / "lazy", ': > "$disc"; exit 0'))
    uuid, _ = agent.write(agent.have(image_of(5000)), "AAA", verify=False)
    disc = agent.await_write(uuid)["AAA"]
    assert (disc["state"], disc["blame"]) == ("bad", "medium")


def test_an_image_under_way_is_missing_and_holds_no_other_write_up(shared: AgentProcess) -> None:
    agent = shared
    shop = agent.shop
    assert shop is not None
    ready = agent.have(image_of(5000))
    slow = image_of(6000, seed=3)
    digest = shop.put(slow, Fault(hold_after=100))
    agent.announce(digest, len(slow))
    assert agent.write(digest, "NEXT-SLOW")[1].json["type"] == "image-missing"
    uuid, _ = agent.write(ready, "NEXT-AAA")
    agent.await_write(uuid)
    shop.release()
    agent.await_image(digest, "ready")
    assert agent.write(digest, "NEXT-SLOW")[1].status == 201
