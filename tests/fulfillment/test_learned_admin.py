"""Learned rates in the admin: what planning uses, in human units, and a fixed value with its reason."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from fulfillment.models import LearnedRate
from tests.scene import NOW, Plant

ROWS = "/admin/fulfillment/learnedrate/"


@pytest.fixture
def rate(plant: Plant) -> LearnedRate:
    return LearnedRate.objects.create(
        writer=plant.writer, drive="d1", kind="speed", format="dvd", samples=12, spread=0.05, learned_at=NOW
    )


def fix(client: Client, rate: LearnedRate, **values: object) -> Any:
    return client.post(f"{ROWS}{rate.pk}/change/", {"fixed": "", "fixed_why": "", **values})


def test_the_list_tells_what_is_used_and_where_from(rate: LearnedRate, admin_client: Client) -> None:
    page = admin_client.get(ROWS).content.decode()
    for said in ("Writer 1", "write and verify", "DVD", "7.5 MB/s", "± 5%"):
        assert said in page


def test_a_value_is_fixed_with_who_when_and_why_and_is_let_free_again(rate: LearnedRate, admin_client: Client) -> None:
    assert fix(admin_client, rate, fixed="6.5", fixed_why="Its discs are to be written slowly.").status_code == 302
    rate.refresh_from_db()
    assert (rate.fixed, rate.used, rate.samples) == (6.5, 6_500_000, 12)
    assert rate.fixed_by.endswith("admin")
    assert rate.fixed_at is not None
    assert "6.5 MB/s (fixed)" in admin_client.get(ROWS).content.decode()
    assert fix(admin_client, rate).status_code == 302
    free = LearnedRate.objects.get()
    assert (free.fixed, free.fixed_why, free.fixed_by, free.fixed_at) == (None, "", "", None)
    assert free.used == 7_500_000


def test_what_was_learned_while_the_page_was_open_stays(
    rate: LearnedRate, admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = LearnedRate.clean

    def learned_meanwhile(self: LearnedRate) -> None:
        LearnedRate.objects.update(samples=13)
        clean(self)

    monkeypatch.setattr(LearnedRate, "clean", learned_meanwhile)
    fix(admin_client, rate, fixed="6", fixed_why="Slowly.")
    rate.refresh_from_db()
    assert (rate.samples, rate.fixed) == (13, 6.0)


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "0.01", "1000", "quick"])
def test_a_bad_value_is_refused_beside_its_field(rate: LearnedRate, admin_client: Client, value: str) -> None:
    page = fix(admin_client, rate, fixed=value, fixed_why="Because.")
    assert set(page.context["adminform"].form.errors) == {"fixed"}
    rate.refresh_from_db()
    assert rate.fixed is None


def test_a_fixed_value_needs_a_reason(rate: LearnedRate, admin_client: Client) -> None:
    page = fix(admin_client, rate, fixed="6", fixed_why=" ")
    assert set(page.context["adminform"].form.errors) == {"fixed_why"}


def test_a_load_is_fixed_in_seconds(rate: LearnedRate, admin_client: Client) -> None:
    load = LearnedRate.objects.create(writer=rate.writer, drive="d1", kind="load", format="dvd")
    fix(admin_client, load, fixed="40", fixed_why="An old robot.")
    load.refresh_from_db()
    assert (load.used, load.told(load.used)) == (40.0, "40 s")


def test_nobody_adds_or_deletes_one(rate: LearnedRate, admin_client: Client) -> None:
    assert admin_client.get(f"{ROWS}add/").status_code == 403
    assert admin_client.post(f"{ROWS}{rate.pk}/delete/", {"post": "yes"}).status_code == 403
    assert LearnedRate.objects.count() == 1
