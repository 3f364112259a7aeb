from __future__ import annotations

import tomllib
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from devices import tokens
from devices.agent.config import read_config
from devices.agent_toml import AgentToml, DriveEntry, render
from devices.models import Writer
from tests.devices.conftest import command_token

pytestmark = pytest.mark.django_db

ADDRESS = ["--address", "http://127.0.0.1:9101"]


def run(*arguments: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("writer", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_add_prints_one_whole_agent_toml_that_the_agent_reads(tmp_path: Path) -> None:
    out, err = run("add", "Writer 1, back room", *ADDRESS)
    (tmp_path / "agent.toml").write_text(out)
    config = read_config(tmp_path / "agent.toml")
    writer = Writer.objects.get()
    assert (config.writer, config.name) == (writer.uuid, "Writer 1, back room")
    assert (config.host, config.port, config.driver) == ("127.0.0.1", 9101, "xorriso")
    assert config.tokens_sha256 == (tokens.fingerprint(command_token(writer.uuid)),)
    assert config.server is not None
    assert config.server.token is not None
    assert tokens.fingerprint(config.server.token) == writer.report_token_sha256
    assert config.server.url == "http://127.0.0.1:8000"
    assert [drive.id for drive in config.drives] == ["d1", "d2"]
    assert {drive.device for drive in config.drives} == {f"stdio:{tmp_path}/discs/{{serial}}.img"}
    assert config.server.token not in err


def test_add_takes_drives_kinds_speed_and_blanks(tmp_path: Path) -> None:
    out, _ = run(
        *["add", "Tower", "--address", "http://[::1]:9102", "--drive", "/dev/sr0", "--drive", "stdio:a b/x.img"],
        *["--kinds", "DVD-R, DVD+R", "--speed", "16d", "--blanks", "100"],
    )
    (tmp_path / "agent.toml").write_text(out)
    config = read_config(tmp_path / "agent.toml")
    assert (config.host, config.port) == ("::1", 9102)
    assert [drive.device for drive in config.drives] == ["/dev/sr0", f"stdio:{tmp_path}/a b/x.img"]
    assert {(drive.kinds, drive.speed, drive.blanks) for drive in config.drives} == {(("DVD-R", "DVD+R"), "16d", 100)}


def test_https_says_how_to_start_the_agent() -> None:
    out, _ = run("add", "Writer 1", "--address", "https://127.0.0.1:9101")
    assert "--tls-cert" in out
    tomllib.loads(out)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Taken", *ADDRESS], "name: There is a writer named 'Taken' already"),
        (["", *ADDRESS], "name: A writer needs a name"),
        (["New", "--address", "127.0.0.1:9101"], "address: '127.0.0.1:9101' is not an agent's address"),
        (["New", "--address", "ftp://127.0.0.1:9101"], "address: 'ftp://127.0.0.1:9101' is not"),
        (["New", "--address", "http://127.0.0.1:9101/v1"], "address:"),
        (["New", "--address", "http://127.0.0.1:0"], "address: 0 is not a port"),
        (["New", "--address", "http://10.0.0.9:9101"], "SPINDLE_AGENT_NETWORKS"),
        (["New", "--address", "http://169.254.169.254"], "never dialled"),
        (["New", "--address", "http://no-such-name.invalid:9101"], "can't be resolved"),
        (["New", *ADDRESS, "--drive", "C"], "drive: 'C' is not a drive"),
        (["New", *ADDRESS, "--drive", "stdio:"], "drive:"),
        (["New", *ADDRESS, "--drive", "/etc/passwd"], "drive:"),
        (["New", *ADDRESS, "--kinds", "CD-R,VHS"], "kinds: VHS"),
        (["New", *ADDRESS, "--kinds", ","], "kinds: none given"),
        (["New", *ADDRESS, "--speed", "fast"], "speed: 'fast'"),
        (["New", *ADDRESS, "--speed", "0c"], "speed: '0c'"),
        (["New", *ADDRESS, "--blanks", "-1"], "blanks: -1"),
        (["New", *ADDRESS, "--kind", ""], "kind:"),
    ],
)
def test_bad_input_is_named_and_nothing_is_made(arguments: list[str], said: str) -> None:
    run("add", "Taken", *ADDRESS)
    with pytest.raises(CommandError) as refused:
        run("add", *arguments)
    assert said in str(refused.value)
    assert [writer.name for writer in Writer.objects.all()] == ["Taken"]


def test_list_shows_states_and_reasons() -> None:
    run("add", "Writer 1", *ADDRESS)
    Writer.objects.update(reasons=[{"keyword": "timed-out", "text": "Nothing was heard.", "since": ""}])
    out, _ = run("list")
    assert out.splitlines() == [
        f"Writer 1  http://127.0.0.1:9101  offline  0 drives  {Writer.objects.get().uuid}",
        "    timed-out: Nothing was heard.",
    ]


def test_rotate_once_at_a_time() -> None:
    run("add", "Writer 1", *ADDRESS)
    out, _ = run("rotate", "Writer 1")
    assert out.startswith("Writer 1 gets new tokens")
    with pytest.raises(CommandError, match="is not through"):
        run("rotate", "Writer 1")
    with pytest.raises(CommandError, match="no writer named 'Writer 2'"):
        run("rotate", "Writer 2")


@given(name=st.text(min_size=1), device=st.text(min_size=1))
def test_any_text_survives_the_file(name: str, device: str) -> None:
    config = AgentToml(
        writer=Writer().uuid,
        name=name,
        listen="127.0.0.1:1",
        server_url="http://127.0.0.1:8000",
        report_token="t",
        command_token_sha256="00" * 32,
        driver="xorriso",
        drives=[DriveEntry("d1", device, ("CD-R",))],
    )
    read = tomllib.loads(render(config))
    assert (read["writer"]["name"], read["driver"]["drives"][0]["device"]) == (name, device)
