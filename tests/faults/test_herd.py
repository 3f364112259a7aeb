"""Two hundred agents come back in one moment, after minutes without the server, and say everything twice."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from storefront.demo.commands import python
from tests.bench.reporting import report, running_web
from tests.bench.virtual_fleet import read
from tests.faults.plant import ROOT
from tests.servers.postgres import running_postgres

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

WRITERS = 200
AWAY = """
import datetime as dt
import django
django.setup()
from django.db.models import F
from django.utils import timezone
from devices import silence
from devices.models import Writer
Writer.objects.update(last_seen=F("last_seen") - dt.timedelta(minutes=5))
silence.note(timezone.now())
"""
FOUND = """
import json
import django
django.setup()
from collections import Counter
from django.utils import timezone
from devices import silence
from devices.models import BlankBin, Disc, Trouble, Writer
silence.note(timezone.now())
print(json.dumps({
    "writers": Counter(Writer.objects.values_list("state", flat=True)),
    "reasons": sorted({reason["keyword"] for writer in Writer.objects.all() for reason in writer.reasons}),
    "discs": Counter(Disc.objects.exclude(state="planned").values_list("state", flat=True)),
    "good": sum(BlankBin.objects.values_list("good", flat=True)),
    "doubt": silence.doubt() is not None,
    "trouble": list(Trouble.objects.values_list("reason", flat=True)),
}))
"""


@contextlib.contextmanager
def database(kind: str) -> Iterator[str]:
    if kind == "sqlite":
        yield ""
    else:
        with running_postgres() as postgres:
            yield postgres.url()


def told(env: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(python(*arguments), cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_200_agents_that_come_back_at_once_are_all_heard_and_their_discs_booked_once(kind: str, tmp_path: Path) -> None:
    with database(kind) as url, running_web(tmp_path, url) as (port, env):
        fleet = read(told(env, "-m", "tests.bench.virtual_fleet", str(WRITERS)))
        told(env, "-c", AWAY)
        away: dict[str, Any] = json.loads(told(env, "-c", FOUND))
        assert (away["doubt"], away["discs"]) == (True, {})
        for writer in fleet:
            writer.move(finish=True)
        with ThreadPoolExecutor(WRITERS) as crowd:  # the answers to the first ones were lost: each is sent again
            list(crowd.map(lambda writer: report(writer, port), [*fleet, *fleet]))
        found: dict[str, Any] = json.loads(told(env, "-c", FOUND))
        assert "Traceback" not in (tmp_path / "web.log").read_text()
    assert found["writers"] == {"busy": WRITERS}
    assert found["reasons"] == []
    assert found["discs"] == {"good": WRITERS, "started": 2 * WRITERS}
    assert found["good"] == WRITERS
    assert found["trouble"] == []
