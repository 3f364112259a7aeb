"""Both APIs against their own OpenAPI pages: schemathesis makes calls of them, with the token and without."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import call_command
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from tests.devices.agent.plant import COMMAND, AgentProcess
from tests.gates.fuzzing import ALL_PHASES, fuzz
from tests.scene import running_plant

SERIES = pytest.mark.parametrize(
    ("examples", "phases"),
    [
        pytest.param(5, "fuzzing,stateful", id="quick"),
        pytest.param(400, ALL_PHASES, id="long", marks=[pytest.mark.slow, pytest.mark.timeout(1800)]),
    ],
)


@SERIES
@pytest.mark.django_db(transaction=True)
def test_the_shops_api_does_what_its_schema_says(
    live_server: LiveServer, settings: Settings, tmp_path: Path, examples: int, phases: str
) -> None:
    settings.SPINDLE_WRITER_LIMIT = settings.SPINDLE_STRANGER_LIMIT = (10**6, 60)
    schema = tmp_path / "schema.yml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(schema))
    with running_plant() as plant:
        # Random writers would all be 401: the calls are about this one.
        text = schema.read_text().replace("{writer_uuid}", str(plant.writer.uuid))
        schema.write_text(text)
        fuzz(str(schema), live_server.url, tmp_path, plant.new.report_token, examples, phases)
        fuzz(str(schema), live_server.url, tmp_path, None, 3, "fuzzing")


@SERIES
def test_the_agents_api_does_what_its_schema_says(tmp_path: Path, examples: int, phases: str) -> None:
    source = '[[driver.drives]]\nid = "s1"\nrole = "source"\nfeed = "hand"\ndevice = "stdio:source.iso"\n'
    agent = AgentProcess(tmp_path / "agent", feed="hand", extra=source)
    agent.start()
    try:
        base = f"http://127.0.0.1:{agent.port}"
        fuzz(f"{base}/v1/openapi.json", base, tmp_path, COMMAND, examples, phases)
        fuzz(f"{base}/v1/openapi.json", base, tmp_path, None, 3, "fuzzing")
    finally:
        agent.kill()
