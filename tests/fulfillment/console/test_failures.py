"""Each failure of a copy says what to do, in words: on its page and in the mail."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from devices.lifecycle import move_read
from devices.models import Disc, ImageRequest, Read, Write
from devices.states import DiscState, ReadState, RequestState
from fulfillment import tick
from fulfillment.console import failures
from fulfillment.models import Copy, ImageFetch
from storefront import progress
from storefront.models import Mail
from tests.fulfillment.console.conftest import begin, begun, fresh, from_drive, read_to_end, wanted
from tests.scene import Plant

pytestmark = pytest.mark.django_db
KEYWORD = re.compile(r"\b[a-z]+-[a-z]+(-[a-z]+)*:")
NO_ROOM = "spool-area-full: the disc doesn't fit on the writer's disk: purge images first"
DISC = "The disc in Source 1 of Writer 2"


def told(copy: Copy, client: Client) -> str:
    """What the page and the mail both say; neither of them has a keyword in it."""
    copy = fresh(copy)
    assert copy.state in {Copy.State.FAILED, Copy.State.UNKNOWN}
    progress.read(copy.ended_at)  # type: ignore[arg-type]
    mail = Mail.objects.get().text
    page = client.get(copy.get_absolute_url()).content.decode().replace("&#x27;", "'")
    for text in (mail, page):
        assert copy.reason in text
    assert not KEYWORD.search(mail), mail
    assert not KEYWORD.search(re.sub(r"<[^>]*>", " ", page))
    return copy.reason


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (NO_ROOM, f"{DISC} was not read: it doesn't fit on the disk of Writer 2. Remove images there, then start the "
         "copy again."),
        ("media-needed: no disc lies in the drive: put it in, close the tray, and ask again",
         f"{DISC} was not read: there is none in the drive. Put it in, close the tray, then start the copy again."),
        ("the agent was stopped while the disc was being read: ask for it again",
         f"{DISC} was not read: the agent was stopped while the disc was being read. Start the copy again."),
        ("Its agent no longer knows it. Read the disc again.",
         f"{DISC} was not read: Its agent no longer knows it. Start the copy again."),
        ("the driver gave no reason", f"{DISC} was not read: the driver gave no reason. Try another drive."),
        ("the copy can't be written to this writer's disk: No space left on device",
         f"{DISC} was not read: it doesn't fit on the disk of Writer 2. Remove images there, then start the copy "
         "again."),
        ("the copy can't be written to this writer's disk: Input/output error",
         f"{DISC} was not read: the copy can't be written to this writer's disk: Input/output error. Look after the "
         "disk of Writer 2, then start the copy again."),
        ("the drive said sense 3, sector 3",
         f"{DISC} can't be read: the drive said sense 3, sector 3. Clean it, or try another drive."),
        ("not-found: There is no drive s1.",
         f"{DISC} was not read: There is no drive s1. Mend that, then start the copy again."),
        ("sector 17 can't be read", f"{DISC} can't be read: sector 17 can't be read. Clean it, or try another drive."),
        ("", f"{DISC} can't be read: no reason given. Clean it, or try another drive."),
    ],
)  # fmt: skip
def test_a_read_that_failed_says_what_fits_its_reason(
    plant: Plant, other: Plant, admin_client: Client, reason: str, said: str
) -> None:
    copy = begin(from_drive(plant, other), plant.now)
    plant.turn()
    move_read(Read.objects.get(), ReadState.FAILED, now=plant.now, actor="agent", reason=reason)
    tick.run(plant.now)
    assert told(copy, admin_client) == said


@pytest.mark.parametrize(
    ("state", "reason", "said"),
    [
        (RequestState.FAILED, "image-failed: spool-area-full: the writer's disk: [Errno 28] No space left",
         "Writer 1 can't get the image: the writer's disk: [Errno 28] No space left. Remove images from the disk of "
         "Writer 1, then start the copy again."),
        (RequestState.FAILED, "image-failed: image-hash-mismatch: what the server sent has another sha256",
         "Writer 1 can't get the image: what the server sent has another sha256. Start the copy again; if it ends so "
         "again, archive the image anew."),
        (RequestState.FAILED, "image-in-use: ",
         "Writer 1 can't get the image: image in use. Mend that, then start the copy again."),
        (RequestState.DROPPED, "", "The image is not sent to Writer 1: no reason given. Start the copy again."),
    ],
)  # fmt: skip
def test_an_image_that_was_not_sent_says_what_fits_its_reason(
    plant: Plant, admin_client: Client, state: str, reason: str, said: str
) -> None:
    copy = begin(wanted(plant), plant.now)
    tick.run(plant.now)
    ImageRequest.objects.update(state=state, reason=reason)
    tick.run(plant.now)
    assert told(copy, admin_client) == said


def test_an_image_that_was_not_brought_says_what_to_do(plant: Plant, other: Plant, admin_client: Client) -> None:
    copy = begin(from_drive(plant, other), plant.now)
    plant.turn()
    read_to_end(copy, plant)
    ImageFetch.objects.update(state="failed", reason="It is no longer on the disk of Writer 2. Read the disc again.")
    tick.run(plant.now)
    assert told(copy, admin_client) == (
        "The image can't be brought from Writer 2: It is no longer on the disk of Writer 2. Start the copy again."
    )


def test_a_read_that_was_given_up_says_what_to_do(plant: Plant, other: Plant, admin_client: Client) -> None:
    copy = begin(from_drive(plant, other), plant.now)
    plant.turn()
    move_read(Read.objects.get(), ReadState.CANCELLED, now=plant.now, actor="agent")
    tick.run(plant.now)
    assert told(copy, admin_client) == f"{DISC} was not read: the read was given up. Start the copy again."


@pytest.mark.parametrize("end", [DiscState.BAD, DiscState.UNKNOWN])
def test_a_disc_that_ended_badly_is_named_without_its_keyword(
    plant: Plant, admin_client: Client, end: DiscState
) -> None:
    copy = begun(wanted(plant), plant)
    Disc.objects.update(state=end, drive="d1", reason="verify-mismatch: what was read back is not the image")
    write = Write.objects.get()
    Write.objects.update(state="done", revision=write.revision + 1)
    tick.run(plant.now)
    said = told(copy, admin_client)
    assert "in Drive 1 (what was read back is not the image)" in said
    assert "Take it out, put in a new blank, and copy what is missing." in said or said.startswith("Nobody knows")


def test_what_a_copy_waits_for_is_said_in_words(plant: Plant) -> None:
    copy = begin(wanted(plant), plant.now)
    tick.run(plant.now)
    ImageRequest.objects.update(reason="spool-area-full: 1 GB are free.")
    tick.run(plant.now)
    assert fresh(copy).reason == "1 GB are free."


@pytest.mark.parametrize(
    ("reasons", "said"),
    [
        (["serial-used: It was written."], "Refused: It was written. Mend that, and copy what is missing."),
        (["image-failed: spool-area-full: no room"],
         "Refused: no room. Remove images from the writer's disk, and copy what is missing."),
        (["cancelled: Gone.", "cancelled: Gone."], "Refused: Gone. Mend that, and copy what is missing."),
        ([], "Its writer gave up the discs that were not begun. Look at the writer, and copy what is missing."),
    ],
)  # fmt: skip
def test_refused_writes_say_what_to_do_once(reasons: list[str], said: str) -> None:
    assert failures.refused(reasons) == said


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("", ""),
        ("media-jam", "media jam"),
        ("a disc: stuck", "a disc: stuck"),
        ("Writer 2: spool-area-full: no", "Writer 2: spool-area-full: no"),
        ("verify-mismatch: not its image", "not its image"),
    ],
)
def test_only_keywords_at_the_front_are_left_out(reason: str, said: str) -> None:
    assert failures.in_words(reason) == said
