"""The page that Prometheus reads: who may, what it says, and what it costs."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from celery import shared_task
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from devices.models import BlankBin
from fulfillment import lifecycle
from fulfillment.models import Job
from storefront import ticks
from storefront.models import Alert, Mail
from tests.scene import Plant, ask_for, make_image

TOKEN = "a-token-for-the-monitor"


@pytest.fixture
def scrape(client: Client, settings: Settings) -> Any:
    settings.SPINDLE_METRICS_TOKEN = TOKEN
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    def read() -> dict[str, dict[tuple[str, ...], float]]:
        answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200
        assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
        found: dict[str, dict[tuple[str, ...], float]] = {}
        for family in text_string_to_metric_families(answer.content.decode()):
            assert family.documentation.endswith(".")
            for sample in family.samples:
                found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
        return found

    return read


@shared_task(name="tests.fails")
def fails() -> None:
    raise RuntimeError("as it should")


def test_without_a_token_there_is_no_page(client: Client, settings: Settings) -> None:
    settings.SPINDLE_METRICS_TOKEN = ""
    assert client.get("/metrics").status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer é"])
def test_another_token_is_refused_before_any_query(client: Client, settings: Settings, header: str) -> None:
    settings.SPINDLE_METRICS_TOKEN = TOKEN
    answer = client.get("/metrics", headers={"Authorization": header})
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="metrics"')


@pytest.mark.django_db
def test_every_name_keeps_to_the_convention(scrape: Any) -> None:
    ticks.note("devices.tick", 0.5, timezone.now(), failed=False)
    for name in scrape():
        assert re.fullmatch(r"spindle_[a-z_]+", name)
        assert not name.endswith(("_ms", "_count", "_milliseconds"))


@pytest.mark.django_db
def test_an_idle_plant_names_every_state_with_nothing_in_it(scrape: Any) -> None:
    found = scrape()
    assert found["spindle_orders"] == dict.fromkeys(
        [(s,) for s in ("awaiting-payment", "paid", "in-production", "ready", "shipped")]
        + [("cancellation-requested",), ("cancelled",)],
        0,
    )
    assert set(found["spindle_discs"]) == {(s,) for s in ("planned", "started", "good", "bad", "unknown", "cancelled")}
    assert found["spindle_oldest_waiting_job_seconds"] == {(): 0}
    assert found["spindle_redis_up"] == {(): 0}
    assert "spindle_queue_messages" not in found


def test_work_is_counted_from_order_to_disc(scrape: Any, plant: Plant) -> None:
    ask_for(3, received_at=plant.now)
    plant.turn()
    found = scrape()
    assert found["spindle_jobs"][("writing",)] == 1
    assert found["spindle_discs_wanted"] == {("cd",): 3}
    assert found["spindle_writes"][("accepted",)] + found["spindle_writes"][("queued",)] >= 1
    plant.make_all()
    found = scrape()
    assert found["spindle_jobs"][("made",)] == 1
    assert found["spindle_discs"][("good",)] == 3
    assert "spindle_discs_wanted" not in found or found["spindle_discs_wanted"].get(("cd",), 0) == 0
    assert found["spindle_writers"][("idle",)] == 1
    assert 0 <= found["spindle_writer_silent_seconds"][("Writer 1",)] < 60
    assert found["spindle_plan_age_seconds"][()] < 60


def test_what_waits_has_an_age_and_a_reason_without_anybody_s_words(scrape: Any, db: None) -> None:
    hour_ago = timezone.now() - dt.timedelta(hours=1)
    for reason in ("too-many-bad-discs", "Zoë says: not before Friday"):
        job = ask_for(1, make_image(reason), received_at=hour_ago)
        assert lifecycle.move_job(job, Job.State.HELD, actor="test", now=hour_ago, reason=reason)
    found = scrape()
    assert found["spindle_jobs_held"] == {("other",): 1, ("too-many-bad-discs",): 1}
    assert 3600 <= found["spindle_oldest_waiting_job_seconds"][()] < 3660


def test_blanks_mails_and_alerts(scrape: Any, plant: Plant) -> None:
    now = timezone.now()
    BlankBin.objects.create(
        writer=plant.writer, format="bd", kind="BD-R", bin="left", counted=True, loaded=50, adjusted=-3, started=7
    )
    BlankBin.objects.create(writer=plant.writer, format="bd", kind="BD-R", bin="right", loaded=9)  # nobody counted them
    Mail.objects.create(key="a", to="a@example.com", created_at=now - dt.timedelta(minutes=5), next_try_at=now)
    Mail.objects.create(key="b", to="a@example.com", created_at=now, next_try_at=now, state=Mail.State.FAILED)
    Alert.objects.create(kind="writer-stopped", key="1", text="…", opened_at=now)
    Alert.objects.create(kind="writer-stopped", key="2", text="…", opened_at=now, closed_at=now)
    found = scrape()
    assert found["spindle_blanks_remaining"][("bd",)] == 40
    assert (found["spindle_mails_waiting"][()], found["spindle_mails_failed"][()]) == (1, 1)
    assert 300 <= found["spindle_oldest_waiting_mail_seconds"][()] < 360
    assert found["spindle_alerts_open"] == {("writer-stopped",): 1}


@pytest.mark.django_db
def test_a_task_is_noted_by_the_worker_and_not_by_itself(scrape: Any) -> None:
    assert fails.apply().state == "FAILURE"
    assert fails.apply().state == "FAILURE"
    found = scrape()
    assert found["spindle_tick_runs_total"][("tests.fails",)] == 2
    assert found["spindle_tick_failures_total"][("tests.fails",)] == 2
    assert found["spindle_tick_seconds_total"][("tests.fails",)] > 0
    assert "spindle_tick_last_success_timestamp_seconds" not in found


def test_a_scrape_costs_the_same_queries_for_ten_times_the_work(scrape: Any, plant: Plant) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            scrape()
        return len(seen)

    ask_for(1)
    few = queries()
    for number in range(10):
        ask_for(2, make_image(f"image-{number}"), format="dvd")
    plant.make_all()
    assert queries() == few
    assert few <= 20
