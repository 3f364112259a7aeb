"""An image's states: who is second stops, and the database refuses what doesn't go together."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from archive import lifecycle
from archive.models import TRANSITIONS, Image, ImageState, Kind, Title, TitleVersion
from tests.archive.conftest import NOW

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

SHA256 = "5" * 64


def make_image(recipe: str = "1" * 64) -> Image:
    return Image.objects.create(recipe=recipe, source="/source", created_at=NOW)


def test_of_two_claims_one_holds() -> None:
    image = make_image()

    assert lifecycle.claim(image, "first", NOW)
    assert not lifecycle.claim(image, "second", NOW)
    image.refresh_from_db()
    assert (image.state, image.lease_owner) == (ImageState.MASTERING, "first")


def test_a_lease_that_ran_out_is_taken_over_and_its_old_holder_can_do_nothing() -> None:
    image = make_image()
    lifecycle.claim(image, "first", NOW)
    late = NOW + lifecycle.LEASE + timedelta(seconds=1)

    assert lifecycle.claim(image, "second", late)

    assert not lifecycle.renew(image, "first", late)
    assert not lifecycle.give_up(image, "first", "reason")
    assert not lifecycle.release(image, "first")
    assert lifecycle.settle(image, "first", SHA256, 2048) is None
    image.refresh_from_db()
    assert (image.state, image.lease_owner, image.sha256) == (ImageState.MASTERING, "second", None)


def test_a_renewed_lease_is_not_taken_over() -> None:
    image = make_image()
    lifecycle.claim(image, "first", NOW)
    assert lifecycle.renew(image, "first", NOW + lifecycle.LEASE)

    assert not lifecycle.claim(image, "second", NOW + lifecycle.LEASE + timedelta(seconds=1))


def test_settled_is_final() -> None:
    image = make_image()
    lifecycle.claim(image, "first", NOW)

    made = lifecycle.settle(image, "first", SHA256, 4096)

    assert made is not None
    assert (made.pk, made.state, made.sha256, made.size, made.sectors) == (image.pk, "ready", SHA256, 4096, 2)
    assert not lifecycle.claim(image, "second", NOW + timedelta(days=1))
    assert not lifecycle.retry(image)
    assert lifecycle.settle(image, "first", "6" * 64, 1) is None


def test_given_up_says_why_and_goes_again_when_asked() -> None:
    image = make_image()
    lifecycle.claim(image, "first", NOW)
    assert lifecycle.give_up(image, "first", "disk full")
    image.refresh_from_db()
    assert (image.state, image.reason, image.lease_owner) == (ImageState.FAILED, "disk full", "")
    assert not lifecycle.claim(image, "second", NOW + timedelta(days=1))

    assert lifecycle.retry(image)

    assert lifecycle.claim(image, "second", NOW)
    image.refresh_from_db()
    assert image.reason == ""


def test_two_recipes_with_the_same_bytes_are_one_image() -> None:
    first, second = make_image("1" * 64), make_image("2" * 64)
    for image in (first, second):
        lifecycle.claim(image, "me", NOW)
    lifecycle.settle(first, "me", SHA256, 2048)

    assert lifecycle.settle(second, "me", SHA256, 2048) == first
    assert list(Image.objects.all()) == [first]


def test_what_is_to_be_made_is_what_nobody_makes() -> None:
    waiting, held, left = (make_image(digit * 64) for digit in "123")
    lifecycle.claim(held, "holder", NOW)
    lifecycle.claim(left, "dead", NOW - timedelta(hours=1))
    failed = make_image("4" * 64)
    lifecycle.claim(failed, "me", NOW)
    lifecycle.give_up(failed, "me", "reason")

    assert list(lifecycle.to_make(NOW)) == [waiting, left]


def test_every_state_has_its_transitions() -> None:
    assert set(TRANSITIONS) == set(ImageState)


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "made"},
        {"layout": "face"},
        {"state": "ready"},
        {"state": "ready", "sha256": SHA256},
        {"state": "ready", "sha256": SHA256, "size": 0},
        {"state": "waiting", "sha256": SHA256, "size": 1},
        {"state": "mastering"},
        {"state": "mastering", "lease_owner": "me"},
        {"state": "waiting", "lease_owner": "me"},
        {"state": "failed"},
    ],
)
def test_the_database_refuses_what_does_not_go_together(wrong: dict[str, object]) -> None:
    image = make_image()

    with pytest.raises(IntegrityError), transaction.atomic():
        Image.objects.filter(pk=image.pk).update(**wrong)


def test_versions_are_numbered_once_and_never_change() -> None:
    title = Title.objects.create(part_number="P-1", title="One", kind=Kind.DATA, created_at=NOW)
    version = TitleVersion.objects.create(title=title, number=1, image=make_image(), created_at=NOW)

    with pytest.raises(IntegrityError), transaction.atomic():
        TitleVersion.objects.create(title=title, number=1, image=make_image("2" * 64), created_at=NOW)
    with pytest.raises(TypeError, match="never changes"):
        version.save()
    with pytest.raises(IntegrityError), transaction.atomic():
        Title.objects.create(part_number="P-2", title="Two", kind="book", created_at=NOW)
