"""agent.toml: every fault names the key and the remedy."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest

from devices.agent.__main__ import serve
from devices.agent.config import Config, ConfigError, read_config
from devices.agent.drivers import load_driver
from tests.devices.agent.plant import ROOT

GOOD = """
[writer]
id = "5f0c0000-0000-4000-8000-000000000001"
name = "Writer 1, back room"
listen = "127.0.0.1:9101"
state = "state"
disk_limit = 20_000_000_000
advertise = true

[server]
url = "http://127.0.0.1:8000/"
token = "report"

[accept]
tokens_sha256 = ["5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"]

[driver]
name = "xorriso"

[[driver.drives]]
id = "d1"
role = "copier"
feed = "robot"
device = "stdio:discs/{serial}.img"
kinds = ["CD-R", "CD-RW", "DVD-R"]
speed = "52c"
blanks = 100
"""


def read(folder: Path, text: str) -> Config:
    file = folder / "agent.toml"
    file.write_text(text, encoding="utf-8")
    return read_config(file)


def read_and_load(folder: Path, text: str) -> None:
    config = read(folder, text)
    load_driver(config.driver, config.drives[0], folder)


def test_the_whole_file_is_read_and_paths_are_relative_to_it(tmp_path: Path) -> None:
    config = read(tmp_path, GOOD)
    assert (config.host, config.port, config.state) == ("127.0.0.1", 9101, tmp_path / "state")
    assert config.disk_limit == 20_000_000_000
    assert config.server is not None
    assert config.server.url == "http://127.0.0.1:8000"
    (drive,) = config.drives
    assert drive.device == f"stdio:{tmp_path}/discs/{{serial}}.img"
    assert (drive.formats, drive.kind_of("cd"), drive.kind_of("dvd")) == (("cd", "dvd"), "CD-R", "DVD-R")
    assert (drive.speed, drive.blanks) == ("52c", 100)


def test_what_may_be_absent_may_be_absent(tmp_path: Path) -> None:
    text = """
    [writer]
    id = "5f0c0000-0000-4000-8000-000000000001"
    name = "W"
    listen = "[::1]:9101"
    [driver]
    name = "xorriso"
    [[driver.drives]]
    id = "d1"
    device = "/dev/sr0"
    kinds = ["BD-R"]
    """
    config = read(tmp_path, text)
    assert (config.host, config.server, config.tokens_sha256, config.disk_limit) == ("::1", None, (), None)
    assert (config.drives[0].device, config.drives[0].blanks, config.drives[0].speed) == ("/dev/sr0", None, None)


def test_absolute_paths_and_a_token_file_are_taken_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "report.token").write_text("from-file\n")
    text = GOOD.replace('token = "report"', 'token_file = "report.token"')
    text = text.replace("stdio:discs/", "stdio:/srv/discs/").replace('state = "state"', 'state = "/srv/state"')
    config = read(tmp_path, text)
    assert config.server is not None
    assert config.server.token == "from-file"
    assert config.drives[0].device == "stdio:/srv/discs/{serial}.img"
    assert config.state == Path("/srv/state")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[writer]", "[writer]\nnmae = 1", "writer.nmae: unknown key; known here: id, name, listen"),
        ("[accept]", "[accept]\nx = 1", "accept.x: unknown key"),
        ("[driver]", "[driver]\nfoo = 1", "driver.foo: unknown key"),
        ('id = "d1"', 'id = "d1"\nbin = 3', "driver.drives[0].bin: unknown key; known here: id, role, feed"),
        ("[writer]", "[wirter]\n[writer]", "wirter: unknown key"),
        ('name = "Writer 1, back room"', "", "writer.name: is missing"),
        ('id = "5f0c0000-0000-4000-8000-000000000001"', 'id = "5f0c"', "writer.id: "),
        ("20_000_000_000", "-1", "writer.disk_limit: "),
        ("20_000_000_000", '"20"', "writer.disk_limit: "),
        ("127.0.0.1:9101", "9101", "writer.listen: "),
        ("127.0.0.1:9101", "127.0.0.1:99999", "writer.listen: "),
        ("http://127.0.0.1:8000/", "127.0.0.1:8000", "server.url: "),
        ("http://127.0.0.1:8000/", "http://[oops", "server.url: "),
        ('token = "report"', "", "server.token: give either token or token_file"),
        ('token = "report"', 'token = "a"\ntoken_file = "b"', "server.token: give either"),
        ('token = "report"', 'token_file = "nowhere"', "server.token_file: "),
        ('token = "report"', 'token = "zwei Wörter"', "server.token: "),
        ("5e884898da", "XYZ4898da", "accept.tokens_sha256[0]: "),
        ('"xorriso"', '"xoriso"', "driver.name: 'xoriso' is not shipped; use xorriso"),
        ('"xorriso"', '"no.such.Driver"', "driver.name: 'no.such.Driver' can't be loaded"),
        ('"xorriso"', '"pathlib.Path"', "driver.name: 'pathlib.Path'"),
        ('"robot"', '"hand"', "driver.drives[0].feed: hand-fed drives are not supported yet"),
        ('"robot"', '"foot"', "driver.drives[0].feed: "),
        ('"copier"', '"writer"', "driver.drives[0].role: "),
        ('"CD-R", ', '"CD-X", ', "driver.drives[0].kinds: 'CD-X' is not a kind"),
        ('["CD-R", "CD-RW", "DVD-R"]', "[]", "driver.drives[0].kinds: "),
        ("52c", "fast", "driver.drives[0].speed: 'fast' is not of the form"),
        ("blanks = 100", "blanks = -1", "driver.drives[0].blanks: "),
        ("blanks = 100", "blanks = 1.5", "driver.drives[0].blanks: "),
        ("stdio:discs/{serial}.img", "stdio:", "driver.drives[0].device: a path is missing"),
        ('id = "d1"', 'id = "../d1"', "driver.drives[0].id: '../d1' is not of the form"),
        ("[[driver.drives]]", "[[driver.drives]]\n" + GOOD.partition("[[driver.drives]]")[2] + "[[driver.drives]]",
         "driver.drives[1].id: 'd1' is there twice"),
        ("[driver]", "[driver", "is not TOML"),
    ],
)  # fmt: skip
def test_a_fault_names_the_key(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        read_and_load(tmp_path, GOOD.replace(old, new, 1))
    assert told in str(caught.value)


def test_a_certificate_that_cannot_be_used_ends_the_program(tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text(GOOD.replace("127.0.0.1:9101", "127.0.0.1:0"))
    nowhere = str(tmp_path / "nowhere.pem")
    file = str(tmp_path / "agent.toml")
    done = subprocess.run(
        [sys.executable, "-m", "devices.agent", "--config", file, "--tls-cert", nowhere, "--tls-key", nowhere],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 2
    assert "--tls-cert, --tls-key: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_said_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = read(tmp_path, GOOD.replace("127.0.0.1:9101", f"127.0.0.1:{port}"))
        with pytest.raises(ConfigError, match=rf"writer.listen: can't listen on 127.0.0.1:{port}"):
            serve(config, None, None, Event())
    assert not (tmp_path / "state").exists()


def test_a_missing_file_and_a_wrong_key_end_the_program_with_one_line(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    for text, told in [(None, "can't be read"), (GOOD + "\nloaded = 3\n", "driver.drives[0].loaded: unknown key")]:
        if text is not None:
            file.write_text(text)
        done = subprocess.run(
            [sys.executable, "-m", "devices.agent", "--config", file],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert done.returncode == 2
        assert told in done.stderr
        assert len(done.stderr.splitlines()) == 1
