"""The fleet pages: who may do what, what each verb does, and that nothing is done twice."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from devices import discovery
from devices.models import BlankBin, CachedImage, Drive, DriveOrder, EnrolmentCode, ImageRequest, Sighting, Writer
from fulfillment.fleet.rings import waiting_token
from tests import fleets
from tests.fleets import Unit
from tests.fulfillment.fleet.conftest import staff

pytestmark = pytest.mark.django_db


def url(made: Unit, path: str = "") -> str:
    return f"/plant/fleet/{made.writer.uuid}/{path}"


def press(client: Client, made: Unit, path: str, **form: object) -> str:
    """Presses a button and reads what the page then says on top."""
    answer = client.post(url(made, path), form, follow=True)
    assert answer.redirect_chain == [(url(made), 302)]
    return " ".join(str(message) for message in answer.context["messages"])


def of(made: Unit, ident: str, verb: str) -> str:
    drive = Drive.objects.get(writer=made.writer, ident=ident)
    since = f"?since={waiting_token(drive.wants_since)}" if drive.wants else ""
    return f"drives/{drive.pk}/{verb}/{since}"


def orders() -> list[tuple[str, str, str]]:
    return list(DriveOrder.objects.order_by("id").values_list("drive", "verb", "serial"))


# -- the whole writer -----------------------------------------------------------------------------------------


def test_a_writer_is_drained_once_and_resumed(operator: Client, fleet: dict[str, Unit]) -> None:
    busy = fleet["busy"]
    assert press(operator, busy, "drain/", why="It rattles") == "Writer 2 finishes what it has and takes nothing new."
    assert press(operator, busy, "drain/", why="Again") == "Writer 2 was draining already."
    writer = Writer.objects.get(pk=busy.writer.pk)
    assert (writer.draining, writer.draining_why) == (True, "It rattles")
    assert writer.draining_who.endswith("staff with 3")
    assert press(operator, busy, "resume/") == "Writer 2 takes work again."
    assert press(operator, busy, "resume/") == "Writer 2 had nothing to resume."


def test_maintenance_is_shown_with_who_and_why(operator: Client, fleet: dict[str, Unit]) -> None:
    press(operator, fleet["idle"], "maintenance/", why="new laser")
    page = operator.get(url(fleet["idle"])).content.decode()
    assert "In maintenance, by staff with 3: new laser. It goes on when somebody resumes it." in page


def test_too_long_a_reason_comes_back_beside_its_field(operator: Client, fleet: dict[str, Unit]) -> None:
    answer = operator.post(url(fleet["busy"], "drain/"), {"why": "x" * 201})
    assert answer.status_code == 422
    assert "Say it in 200 characters." in answer.content.decode()
    assert not Writer.objects.get(pk=fleet["busy"].writer.pk).draining


# -- drives ---------------------------------------------------------------------------------------------------


def test_an_answer_goes_to_its_drive_with_its_disc_once(operator: Client, fleet: dict[str, Unit]) -> None:
    by_hand = fleet["by-hand"]
    out = of(by_hand, "d2", "taken-out")
    for _ in range(2):
        said = press(operator, by_hand, out, serial="4K7P2M9XQR3S")
        assert said == "Drive 2 goes on: its disc is out and marked."
    assert press(operator, by_hand, of(by_hand, "d1", "loaded"), serial="2QTN8Z4JK0VA") == (
        "Drive 1 goes on with the blank."
    )
    assert orders() == [("d2", "taken-out", "4K7P2M9XQR3S"), ("d1", "loaded", "2QTN8Z4JK0VA")]
    page = operator.get(url(by_hand)).content.decode()
    assert "told it to go on, the disc is out at" in page
    assert page.count("Taken out and marked") == 1, "the other drive still asks"


def test_an_answer_from_an_old_page_changes_nothing(operator: Client, fleet: dict[str, Unit]) -> None:
    by_hand = fleet["by-hand"]
    old = of(by_hand, "d1", "loaded")
    Drive.objects.filter(writer=by_hand.writer, ident="d1").update(wants_since=timezone.now())
    no_more = "Drive 1 does not wait for that any more. Nothing was changed."
    assert press(operator, by_hand, old, serial="2QTN8Z4JK0VA") == no_more
    assert press(operator, by_hand, of(by_hand, "d1", "loaded"), serial="4K7P2M9XQR3T") == no_more
    Drive.objects.filter(writer=by_hand.writer, ident="d1").update(wants="")
    assert press(operator, by_hand, of(by_hand, "d1", "loaded"), serial="2QTN8Z4JK0VA") == no_more
    assert orders() == []


@pytest.mark.parametrize("verb", ["drain", "resume", "eject"])
def test_a_word_to_a_drive_waits_for_its_agent(operator: Client, fleet: dict[str, Unit], verb: str) -> None:
    press(operator, fleet["busy"], of(fleet["busy"], "d3", verb))
    press(operator, fleet["busy"], of(fleet["busy"], "d3", verb))
    assert orders() == [("d3", verb, "")]


def test_what_an_agent_did_not_do_is_told_for_an_hour(
    operator: Client, fleet: dict[str, Unit], now: dt.datetime
) -> None:
    press(operator, fleet["busy"], of(fleet["busy"], "d3", "eject"))
    DriveOrder.objects.update(state="failed", reason="The tray is jammed.", ended_at=now)
    told = "told it to eject at"
    page = operator.get(url(fleet["busy"])).content.decode()
    assert told in page
    assert "and its agent did not: The tray is jammed." in page
    DriveOrder.objects.update(ended_at=now - dt.timedelta(hours=2))
    assert told not in operator.get(url(fleet["busy"])).content.decode()


def test_a_serviced_drive_counts_anew(operator: Client, fleet: dict[str, Unit]) -> None:
    robot = fleet["robot"]
    assert "1240 discs since its last service" in operator.get(url(robot)).content.decode()
    assert press(operator, robot, of(robot, "d2", "serviced")) == "Drive 2 is serviced: its thresholds count anew."
    drive = Drive.objects.get(writer=robot.writer, ident="d2")
    assert (drive.discs, drive.since_service.discs, drive.serviced_by.split()[-1]) == (1240, 0, "3")
    assert "since its last service" not in operator.get(url(robot)).content.decode()


def test_the_drive_of_another_writer_is_not_told_here(operator: Client, fleet: dict[str, Unit]) -> None:
    foreign = of(fleet["busy"], "d1", "eject")
    assert operator.post(url(fleet["robot"], foreign)).status_code == 404
    assert orders() == []


# -- blanks and images ----------------------------------------------------------------------------------------


def test_blanks_are_put_in_and_counted(operator: Client, fleet: dict[str, Unit]) -> None:
    busy = fleet["busy"]
    bin_ = BlankBin.objects.get(writer=busy.writer, kind="CD-R")
    for _ in range(2):
        said = press(operator, busy, f"bins/{bin_.pk}/put-in/", number=50, seen=0)
    assert said == "50 into Bin 1 were in the ledger already. For more, enter it again."
    assert press(operator, busy, f"bins/{bin_.pk}/count/", number=100) == (
        "100 in Bin 1: the ledger is corrected by -18."
    )
    bin_.refresh_from_db()
    assert bin_.remaining == 100
    assert {entry.by.split()[-1] for entry in bin_.entries.all()} == {"3"}


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({}, "Enter how many blanks."),
        ({"number": "0"}, "Enter 1 or more."),
        ({"number": "many"}, "Enter a whole number, such as 50."),
        ({"number": "9" * 30}, "Enter 100,000 or fewer."),
    ],
)
def test_a_wrong_number_comes_back_beside_its_field(
    operator: Client, fleet: dict[str, Unit], form: dict[str, str], told: str
) -> None:
    bin_ = BlankBin.objects.get(writer=fleet["busy"].writer, kind="CD-R")
    answer = operator.post(url(fleet["busy"], f"bins/{bin_.pk}/put-in/"), form)
    assert (answer.status_code, answer.context["wrong"]) == (422, True)
    assert f'id="putinform-{bin_.pk}-number-problem">{told}' in answer.content.decode()
    assert bin_.entries.count() == 0


def test_a_machine_that_counts_offers_no_form_and_takes_no_word(operator: Client, fleet: dict[str, Unit]) -> None:
    bin_ = BlankBin.objects.filter(writer=fleet["robot"].writer, by_machine=True).latest("pk")
    assert f"bins/{bin_.pk}/" not in operator.get(url(fleet["robot"])).content.decode()
    answer = operator.post(url(fleet["robot"], f"bins/{bin_.pk}/put-in/"), {"number": 5})
    assert (answer.status_code, bin_.entries.filter(by__contains="staff").count()) == (422, 0)


def test_an_image_is_purged_by_a_wish(operator: Client, fleet: dict[str, Unit]) -> None:
    image = CachedImage.objects.get(writer=fleet["busy"].writer, sha256=fleets.digest("Old"))
    for _ in range(2):
        said = press(operator, fleet["busy"], f"images/{image.sha256}/purge/")
    assert said == "The image goes from its disk once its agent has heard it."
    wish = ImageRequest.objects.get()
    assert (wish.wish, wish.sha256, wish.state) == ("drop", image.sha256, "open")
    assert "had it purged at" in operator.get(url(fleet["busy"])).content.decode()


# -- who may ---------------------------------------------------------------------------------------------------


def test_who_may_only_look_sees_no_button_and_can_do_nothing(fleet: dict[str, Unit]) -> None:
    guest = staff("view_writer")
    for path in ("", url(fleet["by-hand"])):
        page = guest.get(path or "/plant/fleet/").content.decode()
        assert '<button type="submit"' not in page
        assert "Add a writer" not in page
    bin_ = BlankBin.objects.get(writer=fleet["busy"].writer, kind="CD-R")
    for path in ("drain/", of(fleet["busy"], "d1", "eject"), f"bins/{bin_.pk}/put-in/"):
        assert guest.post(url(fleet["busy"], path), {"number": 5}).status_code == 403


def test_blanks_need_a_right_of_their_own(fleet: dict[str, Unit]) -> None:
    bin_ = BlankBin.objects.get(writer=fleet["busy"].writer, kind="CD-R")
    put_in = url(fleet["busy"], f"bins/{bin_.pk}/put-in/")
    assert staff("view_writer", "change_writer").post(put_in, {"number": 5}).status_code == 403
    assert (
        staff("view_writer", "add_blankentry", "view_blankbin", "view_drive").post(put_in, {"number": 5}).status_code
        == 302
    )


def test_who_is_logged_out_meanwhile_is_led_to_the_log_in_by_the_whole_page(client: Client) -> None:
    assert client.get("/plant/fleet/cards/")["Location"].startswith("/admin/login/?next=")
    answer = client.get("/plant/fleet/cards/", headers={"HX-Request": "true"})
    assert (answer["HX-Refresh"], answer.content) == ("true", b"")


# -- what changes by itself ------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["/plant/fleet/cards/", "now/"])
def test_a_part_that_did_not_change_is_not_sent_again(operator: Client, fleet: dict[str, Unit], part: str) -> None:
    address = part if part.startswith("/") else url(fleet["by-hand"], part)
    first = operator.get(address)
    again = operator.get(address, headers={"If-None-Match": first["ETag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    Drive.objects.filter(writer=fleet["by-hand"].writer, ident="d1").update(wants="", state="busy", progress=0.5)
    changed = operator.get(address, headers={"If-None-Match": first["ETag"]})
    assert (changed.status_code, changed["ETag"] != first["ETag"]) == (200, True)
    assert "50 %" in changed.content.decode()


def test_the_page_of_a_code_hears_of_the_writer_that_used_it(operator: Client, fleet: dict[str, Unit]) -> None:
    shown = operator.post("/plant/fleet/add/", {"name": "Back room"})
    code = EnrolmentCode.objects.get()
    assert code.name == "Back room"
    assert "no-store" in shown["Cache-Control"], "the code is in this answer alone"
    command = shown.context["command"]
    assert command.startswith("spindle-agent enrol --server http://127.0.0.1:8000 --code ")
    assert f'data-hx-get="/plant/fleet/add/{code.pk}/"' in shown.content.decode()

    def ask() -> Any:
        return operator.get(f"/plant/fleet/add/{code.pk}/", headers={"HX-Request": "true"})

    assert (ask().status_code, "Waiting for the agent." in ask().content.decode()) == (200, True)
    EnrolmentCode.objects.update(used_at=timezone.now(), writer=fleet["never"].writer)
    assert (ask().status_code, url(fleet["never"]) in ask().content.decode()) == (286, True)


def test_a_code_that_ran_out_offers_another(operator: Client, db: None) -> None:
    operator.post("/plant/fleet/add/", {"name": ""})
    EnrolmentCode.objects.update(expires_at=timezone.now() - dt.timedelta(seconds=1))
    answer = operator.get(f"/plant/fleet/add/{EnrolmentCode.objects.get().pk}/", headers={"HX-Request": "true"})
    assert (answer.status_code, "The code has run out" in answer.content.decode()) == (286, True)


def test_a_name_that_is_taken_is_told_before_a_code_is_made(operator: Client, fleet: dict[str, Unit]) -> None:
    answer = operator.post("/plant/fleet/add/", {"name": " Writer 2 "})
    assert (answer.status_code, EnrolmentCode.objects.count()) == (422, 0)
    assert "There is a writer named Writer 2 already. Choose another name." in answer.content.decode()


def test_agents_on_the_network_are_offered_unless_they_are_ours(
    operator: Client, fleet: dict[str, Unit], now: dt.datetime
) -> None:
    fleets.sightings(now)
    times = {"first_seen": now, "last_seen": now}
    ours = Sighting.objects.create(
        address="http://192.168.7.9:9101", name="Ours", writer_uuid=fleet["busy"].writer.uuid, **times
    )
    times["last_seen"] -= dt.timedelta(hours=2)
    Sighting.objects.create(address="http://192.168.7.10:9101", name="Long gone", **times)
    page = operator.get("/plant/fleet/").content.decode()
    assert "Back room PC" in page
    assert "1 disk · 2 copiers · 1 source drive" in page
    assert "/plant/fleet/add/?name=Back%20room%20PC" in page
    assert "Of other servers: 1" in page
    assert ours.address not in page
    assert "Long gone" not in page


def test_at_the_address_of_ones_own_writer_one_is_led_to_it(
    operator: Client, fleet: dict[str, Unit], now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Sighting(address="http://192.168.7.9:9101", writer_uuid=fleet["busy"].writer.uuid)
    monkeypatch.setattr(discovery, "look_at", lambda address, at: own)
    answer = operator.post("/plant/fleet/look/", {"address": own.address}, follow=True)
    assert answer.redirect_chain[-1][0] == url(fleet["busy"])
    assert f"That is your writer {fleet['busy'].writer}." in answer.content.decode()


def test_the_admin_and_the_fleet_lead_to_each_other(admin_client: Client, fleet: dict[str, Unit]) -> None:
    here, there = url(fleet["busy"]), f"/admin/devices/writer/{fleet['busy'].writer.pk}/change/"
    assert f'href="{there}"' in admin_client.get(here).content.decode()
    assert f'href="{here}"' in admin_client.get(there).content.decode()
    assert 'href="/plant/fleet/"' in admin_client.get("/admin/").content.decode()
