"""A query that is compiled once gives what Django gives, however often and for whatever it is asked."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.db.models import F, QuerySet
from django.test.utils import CaptureQueriesContext

from devices.compiled import Compiled, CompiledUpdate, Given, given, padded, places
from devices.models import Write
from tests.devices.conftest import Plant

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

built: list[int] = []


@Compiled
def writes_of(count: int) -> QuerySet[Write]:
    built.append(count)
    return Write.objects.select_related("writer").filter(pk__in=given(count, Write._meta.pk)).order_by("pk")


@Compiled
def later_than() -> QuerySet[Write, Any]:
    rows = Write.objects.filter(queued_at__gte=Given("at", Write._meta.get_field("queued_at")))
    return rows.order_by("pk").values_list("uuid", "queued_at", "verify", "writer__reasons")


@Compiled
def last_and_first() -> list[QuerySet[Write, Any]]:
    rows = Write.objects.values_list("pk")
    return [rows.order_by("-pk")[:1], rows.order_by("pk")[:1]]


@CompiledUpdate
def named() -> tuple[QuerySet[Write], dict[str, Any]]:
    rows = Write.objects.filter(uuid=Given("uuid", Write._meta.get_field("uuid")))
    return rows, {"title": Given("title", Write._meta.get_field("title")), "tries": F("tries") + 1}


def test_objects_are_those_that_django_reads(plant: Plant) -> None:
    writes = [plant.queue() for _ in range(3)]
    found = writes_of.of([write.pk for write in writes])
    assert found == writes
    writer = plant.writer
    with CaptureQueriesContext(connection) as queries:
        assert [write.writer for write in found] == [writer] * 3
    assert not len(queries), "what belongs to them came with them"
    for field in Write._meta.concrete_fields:
        assert getattr(found[0], field.attname) == getattr(Write.objects.get(pk=writes[0].pk), field.attname)


def test_few_texts_serve_all_numbers_of_keys(plant: Plant) -> None:
    writes = [plant.queue() for _ in range(4)]
    built.clear()
    for number in (3, 4, 3):
        assert writes_of.of([write.pk for write in writes[:number]]) == writes[:number]
    assert len(built) <= 1
    with CaptureQueriesContext(connection) as queries:
        assert writes_of.of([]) == []
    assert not len(queries)


@pytest.mark.parametrize("count", [0, 1, 2, 5, 15, 16, 17, 33, 100, 500])
def test_the_last_key_fills_the_places_that_are_left(count: int) -> None:
    filled = list(padded(list(range(count))).values())
    assert len(filled) == places(range(count)) <= max(2 * count, 1)
    assert set(filled) == set(range(count))


def test_rows_are_those_that_django_reads(plant: Plant) -> None:
    write = plant.queue()
    (row,) = later_than(at=write.queued_at)
    assert list(row) == [write.uuid, write.queued_at, True, plant.writer.reasons]
    assert later_than(at=plant.clock.pass_(seconds=1)) == []


def test_several_queries_are_one_statement(plant: Plant) -> None:
    first, last = plant.queue(), plant.queue()
    with CaptureQueriesContext(connection) as queries:
        assert [pk for (pk,) in last_and_first()] == [last.pk, first.pk]
    assert len(queries) == 1


def test_an_update_says_how_many_rows_it_changed(plant: Plant) -> None:
    write, other = plant.queue(), plant.queue()
    assert named(uuid=write.uuid, title="%s «ß»") == 1
    write.refresh_from_db()
    assert (write.title, write.tries) == ("%s «ß»", 1)
    other.refresh_from_db()
    assert other.tries == 0
    assert named(uuid=plant.writer.uuid, title="nobody's") == 0
