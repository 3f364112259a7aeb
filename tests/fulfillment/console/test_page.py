"""The console's page, step by step by its addresses, as a browser without scripts uses it."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from archive.models import Title, TitleVersion
from devices.agent import wire
from devices.models import CachedImage, Writer
from fulfillment import tick
from fulfillment.console import intake
from fulfillment.models import Copy
from tests.fulfillment.console.conftest import add_source, arrive, begin, begun, fresh, make, wanted
from tests.scene import Plant, make_image, make_title

pytestmark = pytest.mark.django_db
S = Copy.State


@pytest.fixture
def client(plant: Plant) -> Client:
    """Anna, who may all that the console has. The plant's clock is the real one: pages ask for no other."""
    plant.now = timezone.now()
    plant.agent.sequence += 1
    plant.report()
    user = User.objects.create_user("anna", "anna@example.com", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_copy", "add_copy", "add_upload"]))
    client = Client()
    client.force_login(user)
    return client


def look(client: Client, **query: Any) -> str:
    answer = client.get("/plant/console/", query)
    assert answer.status_code == 200
    return answer.content.decode()


def column(page: str, heading: str) -> str:
    found = re.search(rf'<section class="column \w+" aria-labelledby="{heading}">.*?</section>', page, re.DOTALL)
    assert found is not None
    return found[0]


def choices(page: str, name: str) -> dict[str, tuple[bool, bool]]:
    """By value: whether it is chosen, and whether it can't be."""
    inputs = re.findall(rf'<input id="[^"]*" type="\w+" name="{name}" value="([^"]*)"( checked)?( disabled)?>', page)
    return {value: (bool(checked), bool(disabled)) for value, checked, disabled in inputs}


def version() -> TitleVersion:
    make_title("P-1001")
    return TitleVersion.objects.get(title__part_number="P-1001")


def form(page: str) -> dict[str, str]:
    """The hidden fields of the form that starts."""
    body = page[page.index('action="/plant/console/start/"') :]
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', body)) | {"copies": "1"}


def test_three_steps_and_a_start_without_scripts(client: Client, plant: Plant) -> None:
    what = f"title:{version().pk}"
    unit = str(plant.writer.uuid)
    first = look(client)
    assert choices(first, "unit") == {unit: (False, False)}
    assert "127.0.0.1" in column(first, "h-unit")
    assert "1 disk · 0 source drives · 2 copiers" in column(first, "h-unit")
    assert choices(first, "from")[what] == (False, True), "the unit comes first"
    second = look(client, unit=unit)
    assert choices(second, "from")[what] == (False, False)
    third = look(client, **{"unit": unit, "from": what})
    assert choices(third, "format") == {"cd": (True, False), "dvd": (False, False)}
    assert choices(third, "drive") == {"d1": (False, False), "d2": (False, False)}
    answer = client.post("/plant/console/start/", form(third) | {"drive": ["d1", "d2"], "copies": "3"})
    copy = Copy.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/plant/console/copies/{copy.pk}/")
    assert (copy.title, copy.origin, copy.what, copy.drives, copy.copies) == (
        "Title P-1001",
        "title",
        what,
        ["d1", "d2"],
        3,
    )
    assert (copy.asked_by, copy.email) == (f"user:{User.objects.get().pk} anna", "anna@example.com")


def test_the_same_form_twice_is_one_copy_and_leads_to_it(client: Client, plant: Plant) -> None:
    what = f"title:{version().pk}"
    page = look(client, **{"unit": str(plant.writer.uuid), "from": what})
    answers = [client.post("/plant/console/start/", form(page) | {"drive": "d1"}) for _ in range(2)]
    assert answers[0]["Location"] == answers[1]["Location"]
    assert Copy.objects.count() == 1
    other = client.post("/plant/console/start/", form(page) | {"drive": "d2"})
    assert (other.status_code, b"has started another copy already" in other.content) == (422, True)


def test_what_can_not_go_together_is_grey_with_the_reason(client: Client, plant: Plant) -> None:
    make_title("P-2", size=20_000_000_000)
    big = f"title:{TitleVersion.objects.get(title__part_number='P-2').pk}"
    fine = f"title:{version().pk}"
    begin(wanted(plant, "d2"), plant.now)
    unit = str(plant.writer.uuid)
    page = look(client, **{"unit": unit, "from": fine})
    assert choices(page, "from")[big] == (False, True)
    assert "20.0 GB: no drive of Writer 1 takes a disc of that size." in page
    assert choices(page, "drive") == {"d1": (True, False), "d2": (False, True)}
    assert "Held for a copy by anna." in page
    Writer.objects.update(draining=True)
    page = look(client, **{"unit": unit, "from": fine})
    assert choices(page, "unit") == {unit: (False, True)}
    assert "It is draining: it takes no new work." in page


def test_a_wrong_choice_comes_back_with_its_reason_and_what_was_chosen(client: Client, plant: Plant) -> None:
    what = f"title:{version().pk}"
    page = look(client, **{"unit": str(plant.writer.uuid), "from": what})
    said = form(page)
    for wrong, text in (
        ({"drive": []}, "Choose a drive."),
        ({"drive": "d1", "copies": "many"}, "Between 1 and 1000 copies."),
        ({"drive": "d1", "copies": "-1"}, "Between 1 and 1000 copies."),
        ({"drive": ["d1", "d2"]}, "2 drives for 1 copy"),
        ({"drive": "d9"}, "has no copier d9"),
        ({"drive": "d1", "format": "bd"}, "Blu-ray: No drive of Writer 1 takes it."),
        ({"drive": "d1", "from": "title:999999"}, "Choose what is to be copied."),
        ({"drive": "d1", "from": "nothing"}, "Choose what is to be copied."),
        ({"drive": "d1", "from": "upload:none"}, "Choose what is to be copied."),
        ({"drive": "d1", "unit": str(uuid4())}, "Choose a unit."),
        ({"drive": "d1", "copy": "none"}, "This form was not whole."),
    ):
        answer = client.post("/plant/console/start/", said | wrong)
        assert answer.status_code == 422, wrong
        assert text in answer.content.decode(), wrong
    again = client.post("/plant/console/start/", said | {"drive": ["d1", "d2"]}).content.decode()
    assert choices(again, "drive") == {"d1": (True, False), "d2": (True, False)}
    assert form(again)["copy"] == said["copy"]
    assert not Copy.objects.exists()


def test_titles_are_found_by_all_words(client: Client, plant: Plant) -> None:
    wanted_ = f"title:{version().pk}"
    Title.objects.filter(part_number="P-1001").update(title="Nine songs", who="The Discs")
    make_title("P-2")
    assert set(choices(look(client, q="songs discs"), "from")) == {wanted_}
    assert "No title has «nothing» in it." in look(client, q="nothing")


@pytest.mark.postgres
@pytest.mark.parametrize("query", ["a\0b", "\0", "\ud7ff\uffff", "x" * 5000])
def test_odd_words_find_nothing_and_break_nothing(client: Client, plant: Plant, query: str) -> None:
    version()
    assert not choices(look(client, q=query + "z"), "from")


def test_images_on_the_disk_are_named_and_discs_in_source_drives_are_offered(client: Client, plant: Plant) -> None:
    add_source(plant)
    named = str(version().image.sha256)
    for sha256, layout in ((named, "iso"), ("ef" * 32, "iso"), ("aa" * 32, "face")):
        CachedImage.objects.create(writer=plant.writer, sha256=sha256, layout=layout, size=1000, state="ready")
    page = look(client, unit=str(plant.writer.uuid))
    found = choices(page, "from")
    assert {value for value in found if value.startswith("disk:")} == {f"disk:{named}", f"disk:{'ef' * 32}"}
    assert f"drive:{plant.writer.uuid}/s1" in found
    assert "Image efefefefefef" in page


def test_a_disc_in_a_source_drive_is_copied_from_the_page(client: Client, plant: Plant) -> None:
    add_source(plant)
    what = f"drive:{plant.writer.uuid}/s1"
    page = look(client, **{"unit": str(plant.writer.uuid), "from": what})
    assert client.post("/plant/console/start/", form(page) | {"drive": "d1"}).status_code == 302
    copy = Copy.objects.get()
    assert (copy.origin, copy.source_drive, copy.source_writer) == ("drive", "s1", plant.writer)


def test_the_second_of_two_clicks_on_a_disc_in_a_drive_leads_to_the_copy_of_the_first(
    client: Client, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looked before the first one had started, and finds the source drive held."""
    add_source(plant)
    page = look(client, **{"unit": str(plant.writer.uuid), "from": f"drive:{plant.writer.uuid}/s1"})
    first = client.post("/plant/console/start/", form(page) | {"drive": "d1"})
    looks = iter([None])
    started = intake.started

    def too_early(*args: Any, **kwargs: Any) -> Copy | None:
        return next(looks, started(*args, **kwargs))

    monkeypatch.setattr(intake, "started", too_early)
    second = client.post("/plant/console/start/", form(page) | {"drive": "d1"})
    assert (second.status_code, second["Location"]) == (302, first["Location"])
    assert Copy.objects.count() == 1


# --- One copy --------------------------------------------------------------------------------------


def test_a_copy_is_followed_to_its_end_which_stays_until_it_is_confirmed(client: Client, plant: Plant) -> None:
    copy = begun(wanted(plant, copies=2), plant)
    url = f"/plant/console/copies/{copy.pk}/"
    first = client.get(url + "now/")
    assert "writing, 0 of 2 good" in first.content.decode()
    assert client.get(url + "now/", headers={"If-None-Match": first["ETag"]}).status_code == 304
    make(plant)
    assert "2 discs, each read back and good." in client.get(url).content.decode()
    assert "Seen" in client.get("/plant/console/going/").content.decode()
    assert ">1<span" in look(client), "the badge"
    ended = client.get("/plant/console/ended/").json()["ended"]
    assert ended == [], "another Anna asked for it"
    assert client.post(url + "seen/", {"back": "console"})["Location"] == "/plant/console/"
    assert fresh(copy).seen_by == f"user:{User.objects.get().pk} anna"
    assert "Seen by anna" in client.get(url).content.decode()
    assert client.get(url + "now/", headers={"HX-Request": "true"}).status_code == 286, "nothing will change any more"
    assert client.post(url + "seen/").status_code == 302
    assert "Ended and seen: 1" in client.get("/plant/console/going/").content.decode()


def test_a_browser_is_told_of_the_ends_of_its_owners_copies(client: Client, plant: Plant) -> None:
    me = f"user:{User.objects.get().pk} anna"
    copy = intake.start(wanted(plant), actor=me, email="", now=plant.now)
    plant.turn()
    arrive(copy, plant)
    plant.turn()
    make(plant)
    (ended,) = client.get("/plant/console/ended/").json()["ended"]
    assert (ended["id"], ended["said"], ended["url"]) == (str(copy.pk), "done", copy.get_absolute_url())


def test_a_copy_is_cancelled_and_given_up_from_its_page(client: Client, plant: Plant) -> None:
    copy = begun(wanted(plant), plant)
    url = f"/plant/console/copies/{copy.pk}/"
    assert "Cancel" in client.get(url).content.decode()
    client.post(url + "cancel/")
    assert fresh(copy).cancelled_by == f"user:{User.objects.get().pk} anna"
    assert "A disc that was begun is finished." in client.get(url).content.decode()
    Writer.objects.update(state="offline")
    assert "Wait no longer" in client.get(url).content.decode()
    client.post(url + "give-up/")
    assert fresh(copy).state == S.UNKNOWN
    client.post(url + "give-up/")
    client.post(url + "cancel/")
    assert fresh(copy).state == S.UNKNOWN


def test_who_may_only_look_starts_nothing(client: Client, plant: Plant) -> None:
    user = User.objects.get()
    user.user_permissions.set(Permission.objects.filter(codename="view_copy"))
    what = f"title:{version().pk}"
    page = look(client, **{"unit": str(plant.writer.uuid), "from": what})
    assert "You may look, and start nothing." in page
    assert 'id="send"' not in page
    assert client.post("/plant/console/start/", form(page) | {"drive": "d1"}).status_code == 403
    copy = begin(wanted(plant), plant.now)
    for verb in ("cancel", "give-up", "seen"):
        assert client.post(f"/plant/console/copies/{copy.pk}/{verb}/").status_code == 403
    user.user_permissions.clear()
    assert client.get("/plant/console/").status_code == 403


def test_the_page_costs_few_queries(client: Client, plant: Plant, django_assert_max_num_queries: Any) -> None:
    for number in range(6):
        make_title(f"P-{number}")
        CachedImage.objects.create(
            writer=plant.writer, sha256=str(make_image(f"i{number}").sha256), layout="iso", size=1, state="ready"
        )
    begun(wanted(plant), plant)
    tick.run(plant.now)
    with django_assert_max_num_queries(40):
        look(client, unit=str(plant.writer.uuid))


def test_what_a_hand_is_to_do_is_said_on_the_copys_page(client: Client, plant: Plant) -> None:
    copy = begun(wanted(plant, "d1"), plant)
    other = begun(wanted(plant, "d2"), plant)
    serial = copy.parts.get().write.discs.get().serial
    by_hand = {"feed": wire.Feed.HAND, "wants": "blank"}
    for at, drive in enumerate(plant.agent.drives):
        said = by_hand | {"serial": serial if drive.id == "d1" else None}
        plant.agent.drives[at] = drive.model_copy(update=said)
    plant.agent.sequence += 1
    plant.report()
    page = client.get(copy.get_absolute_url()).content.decode()
    assert "Drive 1:</strong> insert a" in page
    assert "Drive 2:" not in page
    assert "Drive 2:</strong> insert a" in client.get(other.get_absolute_url()).content.decode()
    console = client.get("/plant/console/").content.decode()
    assert "Drive 1: insert a CD" in console
    assert "waits for a person" in console
