"""agent.toml: every fault names the key and the remedy."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import Self

import pytest

from devices.agent.config import Config, ConfigError, Drive, read_config
from devices.agent.drivers import load_drivers
from devices.agent.drivers.base import Options
from devices.agent.drivers.xorriso import Xorriso
from devices.agent.identity import identity_of
from devices.agent.serving import serve
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


OTHER = """
[[driver.drives]]
id = "d2"
device = "stdio:one.iso"
kinds = ["DVD-R"]
[[driver.drives]]
id = "d3"
device = "stdio:./one.iso"
kinds = ["DVD-R"]
"""
SOURCE = """
[[driver.drives]]
id = "s1"
role = "source"
"""


class Forgetful(Xorriso):
    @classmethod
    def machine(cls, drives: Sequence[Drive], workspace: Path, options: Options) -> dict[str, Self]:
        return {}


def read(folder: Path, text: str) -> Config:
    file = folder / "agent.toml"
    file.write_text(text, encoding="utf-8")
    return read_config(file)


def read_and_load(folder: Path, text: str) -> None:
    config = read(folder, text)
    identity_of(config, None)
    load_drivers(config.driver, config.drives, folder, config.options)


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


def test_hand_fed_drives_and_sources_are_taken_and_options_have_their_paths_absolute(tmp_path: Path) -> None:
    options = '[driver.options]\nstore = "./discs"\nnames = ["../up", "down", 3]\ninner = { share = "..\\\\x" }\n'
    text = GOOD.replace("[[driver.drives]]", options + "[[driver.drives]]").replace('"robot"', '"hand"')
    config = read(tmp_path, text + SOURCE + 'device = "stdio:one.iso"')
    copier, source = config.drives
    assert (copier.feed, source.role, source.kinds, source.formats) == ("hand", "source", (), ())
    assert source.device == f"stdio:{tmp_path}/one.iso"
    assert config.options["store"] == str(tmp_path / "./discs")
    assert config.options["names"] == [str(tmp_path / "../up"), "down", 3]
    assert config.options["inner"]["share"].startswith(str(tmp_path))


def test_drives_may_share_a_folder_of_discs_named_by_serial(tmp_path: Path) -> None:
    config = read(
        tmp_path, GOOD + GOOD.partition("[[driver.drives]]")[2].join(["[[driver.drives]]", ""]).replace("d1", "d2")
    )
    assert config.drives[0].device == config.drives[1].device


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
        ('"xorriso"', '"xoriso"', "driver.name: 'xoriso' is not shipped; use virtual, xorriso"),
        ('"xorriso"', '"no.such.Driver"', "driver.name: 'no.such.Driver' can't be loaded"),
        ('"xorriso"', '"pathlib.Path"', "driver.name: 'pathlib.Path' is not a devices.agent.drivers.base.Driver"),
        ('"xorriso"', '"tests.devices.agent.test_config.Forgetful"',
         "driver.name: 'tests.devices.agent.test_config.Forgetful' made no driver for the drive d1"),
        ('"copier"', '"source"', "driver.drives[0].speed: a source drive writes nothing; take speed out"),
        ("blanks = 100", "blanks = 100" + OTHER,
         "driver.drives[2].device: 'stdio:{folder}/one.iso' is drive d2's already; a device is one drive"),
        ("blanks = 100", "blanks = 100\n" + SOURCE + 'device = "stdio:{serial}.iso"',
         "driver.drives[1].device: {serial} stands for discs to write; name the one file that is to be read"),
        ("blanks = 100", "blanks = 100\n" + SOURCE + 'device = "/dev/sr0"\nblanks = 3',
         "driver.drives[1].blanks: a source drive writes nothing; take blanks out"),
        ("[[driver.drives]]", "[driver.options]\nfast = true\n[[driver.drives]]",
         "driver.options.fast: the driver xorriso knows no options; take it out"),
        ('"robot"', '"foot"', "driver.drives[0].feed: "),
        ('"copier"', '"writer"', "driver.drives[0].role: "),
        ('"CD-R", ', '"CD-X", ', "driver.drives[0].kinds: 'CD-X' is not a kind"),
        ('["CD-R", "CD-RW", "DVD-R"]', "[]", "driver.drives[0].kinds: say which discs it writes, such as"),
        ("52c", "fast", "driver.drives[0].speed: 'fast' is not of the form"),
        ("52c", "0c", "driver.drives[0].speed: '0c' is no speed: it has to be more than 0"),
        ("52c", "000.00", "driver.drives[0].speed: '000.00' is no speed"),
        ('"xorriso"', '"virtual"\noptions = { speeds = { cd = "0.0d" } }',
         "driver.options.speeds.cd: '0.0d' is no speed"),
        ("blanks = 100", "blanks = 1_000_001", "driver.drives[0].blanks: Input should be less than or equal to 1"),
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
    assert told.replace("{folder}", str(tmp_path)) in str(caught.value)


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
            serve(config, None, Event())
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
