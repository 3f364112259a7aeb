"""What a load balancer and a container's health check are told."""

from __future__ import annotations

import datetime as dt
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from storefront import heartbeat, readiness, ticks
from storefront.models import TickRun


@pytest.fixture
def silent_server() -> Iterator[int]:
    """A port that takes connections and never says a word, like a machine that hangs."""
    with socket.create_server(("127.0.0.1", 0), backlog=8) as listener:
        yield listener.getsockname()[1]


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    readiness._migrated.clear()
    yield
    readiness.DATABASE.answer(20)  # a thread of one test must not reach into the next


def test_alive_asks_nobody(client: Client, settings: Settings) -> None:
    """Without `db`, a query would fail this test."""
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"alive": True})
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.django_db(transaction=True)
def test_ready_without_redis_because_the_shop_sells_on(client: Client, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    for name in readiness.TICKS:
        ticks.note(name, 0.1, timezone.now(), failed=False)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "database": "ok", "redis": "away", "ticks": "ok"}
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("late", readiness.TICKS)
@pytest.mark.parametrize("why", ["stopped", "fails", "never ran"])
def test_a_tick_that_stopped_is_named_but_does_not_close_the_shop(client: Client, late: str, why: str) -> None:
    now = timezone.now()
    for name in {*readiness.TICKS, "archive.master_waiting"} - {late}:  # mastering has a worker of its own
        ticks.note(name, 0.1, now, failed=False)
    if why != "never ran":
        ticks.note(late, 0.1, now - readiness.LATE, failed=False)
    if why == "fails":
        ticks.note(late, 0.1, now, failed=True)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["ticks"]) == (200, "late")


@pytest.mark.django_db(transaction=True)
def test_a_migration_that_is_missing_is_not_ready(client: Client) -> None:
    applied = MigrationRecorder(connection)
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes("storefront")[0]
    applied.record_unapplied(*newest)
    try:
        answer = client.get("/readyz")
    finally:
        applied.record_applied(*newest)
    assert (answer.status_code, answer.json()["database"]) == (503, "not migrated")


def test_patience_leaves_a_margin_to_the_two_seconds_of_a_probe() -> None:
    assert readiness.PATIENCE + readiness.PATIENCE / 5 < 2.0


def test_a_database_that_hangs_is_away_while_it_hangs(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    let_go = threading.Event()

    def hangs() -> str:
        let_go.wait(20)
        return "ok"

    hanging = readiness.Question("database", hangs)
    monkeypatch.setattr(readiness, "DATABASE", hanging)
    threads = threading.active_count()
    try:
        for _ in range(2):
            answer = client.get("/readyz")
            assert (answer.status_code, answer.json()["database"]) == (503, "away")
            assert hanging.answer(0) == "away"  # it hangs still: nobody waited for its end
        assert threading.active_count() <= threads + 2  # one that hangs is not asked again
    finally:
        let_go.set()
        assert hanging.answer(20) == "ok"


@pytest.mark.django_db(transaction=True)
def test_a_redis_that_hangs_is_away_while_it_hangs(client: Client, settings: Settings, silent_server: int) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{silent_server}/0"
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["redis"]) == (200, "away")
    readiness.REDIS.answer(10)


@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
def test_probes_come_by_plain_http_and_any_host(client: Client, settings: Settings, path: str) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.ALLOWED_HOSTS = ["shop.example"]
    answer = client.get(path, headers={"Host": "172.30.90.4:8000"})
    assert answer.status_code == {"/healthz": 200, "/metrics": 404}[path]
    assert client.get("/", headers={"Host": "172.30.90.4:8000"}).status_code == 400


def test_only_asking_is_allowed(client: Client) -> None:
    assert client.post("/healthz").status_code == 405


def test_a_worker_lives_while_its_file_is_young(
    tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.SPINDLE_ALIVE = tmp_path / "alive"
    with pytest.raises(CommandError, match="no sign of life on this host yet"):
        call_command("alive", "worker")
    heartbeat.worker_lives()
    call_command("alive", "worker")
    assert "worker: alive 0 s ago" in capsys.readouterr().out
    old = time.time() - heartbeat.SILENT - 1
    os.utime(heartbeat.file_of("worker"), (old, old))
    with pytest.raises(CommandError, match="no sign of life for 61 s"):
        call_command("alive", "worker")


@pytest.mark.django_db
def test_each_run_of_a_task_is_counted_whatever_became_of_it() -> None:
    now = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
    ticks.note("devices.tick", 0.5, now, failed=False)
    ticks.note("devices.tick", 1.5, now + dt.timedelta(seconds=2), failed=True)
    run = TickRun.objects.get()
    assert (run.name, run.runs, run.failures, run.seconds, run.last_seconds) == ("devices.tick", 2, 1, 2.0, 1.5)
    assert (run.finished_at, run.succeeded_at) == (now + dt.timedelta(seconds=2), now)
