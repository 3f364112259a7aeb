"""The compose file's commands for real, with PostgreSQL and production settings, and Debian's nginx in front."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.production.compose import ROOT, command, filled, services
from tests.production.lines import Cutter, Echo
from tests.production.stack import HOST, Answer, Stack, answers, free_port, wait

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def content(stack: Stack) -> bytes:
    (path,) = stack.images.glob("??/*.iso")
    return path.read_bytes()


def image(stack: Stack, *, method: str = "GET", plant: bool = False, **headers: str) -> Answer:
    headers = {"Authorization": f"Bearer {stack.made['token']}"} | headers
    return stack.ask(_path(stack), method=method, plant=plant, **headers)


def _path(stack: Stack, writer: str = "writer") -> str:
    return f"/api/v1/writers/{stack.made[writer]}/files/{stack.made['sha256']}"


@pytest.mark.parametrize("plant", [False, True], ids=["tls", "plant"])
def test_an_image_comes_whole_with_its_digest_as_its_tag(stack: Stack, content: bytes, plant: bool) -> None:
    answer = image(stack, plant=plant)
    assert (answer.status, hashlib.sha256(answer.body).hexdigest()) == (200, stack.made["sha256"])
    assert answer.headers["ETag"] == f'"{stack.made["sha256"]}"'
    assert answer.headers["Content-Length"] == str(len(content))
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert "X-Accel-Redirect" not in answer.headers


def test_nginx_sends_the_image_and_not_gunicorn(stack: Stack) -> None:
    """Django's own answer would carry no `Last-Modified`: only who opens the file knows its time."""
    assert "Last-Modified" in image(stack).headers


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=100-199", 100, 199), ("bytes=4000000-", 4_000_000, None), ("bytes=-10", -10, None)],
)
def test_a_range_comes_as_that_part(stack: Stack, content: bytes, asked: str, first: int, last: int | None) -> None:
    answer = image(stack, Range=asked)
    begin = first % len(content)
    end = len(content) - 1 if last is None else last
    assert (answer.status, answer.body) == (206, content[begin : end + 1])
    assert answer.headers["Content-Range"] == f"bytes {begin}-{end}/{len(content)}"
    assert answer.headers["ETag"] == f'"{stack.made["sha256"]}"'


def test_a_range_behind_the_end_is_416(stack: Stack, content: bytes) -> None:
    answer = image(stack, Range=f"bytes={len(content)}-")
    assert (answer.status, answer.headers["Content-Range"]) == (416, f"bytes */{len(content)}")


def test_if_range_resumes_the_same_image_and_no_other(stack: Stack, content: bytes) -> None:
    same = image(stack, Range="bytes=5-9", If_Range=f'"{stack.made["sha256"]}"')
    other = image(stack, Range="bytes=5-9", If_Range='"another"')
    assert (same.status, same.body) == (206, content[5:10])
    assert (other.status, len(other.body)) == (200, len(content))


def test_head_says_what_get_would(stack: Stack, content: bytes) -> None:
    answer = image(stack, method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(content))


@pytest.mark.parametrize("plant", [False, True], ids=["tls", "plant"])
def test_without_the_right_token_nothing_is_sent(stack: Stack, plant: bool) -> None:
    for value in ("", "Bearer wrong", f"Bearer {stack.made['other_token']}"):
        answer = image(stack, plant=plant, Authorization=value)
        assert (answer.status, len(answer.body) < 1000) == (401, True)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_another_writer_gets_no_image_that_it_has_no_work_for(stack: Stack) -> None:
    answer = stack.ask(_path(stack, "other"), Authorization=f"Bearer {stack.made['other_token']}")
    assert answer.status == 404
    answer = stack.ask(_path(stack, "other"), Authorization=f"Bearer {stack.made['token']}")
    assert answer.status == 401


@pytest.mark.parametrize("plant", [False, True], ids=["tls", "plant"])
def test_no_address_reaches_the_folder_of_images(stack: Stack, plant: bool) -> None:
    sha256 = stack.made["sha256"]
    place = f"{sha256[:2]}/{sha256}.iso"
    for path in (
        f"/internal/images/{place}",
        f"//internal/images/{place}",
        f"/internal/./images/{place}",
        f"/%69nternal/images/{place}",
        f"/static/../internal/images/{place}",
        f"/static/../data/images/{place}",
        f"/static/..%2fdata/images/{place}",
        f"/static../data/images/{place}",
        "/static/%2e%2e/secrets/tls_key",
        "/static../secrets/tls_key",
        "/internal/images../secrets/tls_key",
    ):
        answer = stack.ask(path, plant=plant, Authorization=f"Bearer {stack.made['token']}", X_Accel_Redirect=place)
        assert answer.status in {400, 404}, path
        assert len(answer.body) < 20_000


def test_static_files_with_a_digest_in_their_name_are_kept_for_ever(stack: Stack) -> None:
    manifest = json.loads((stack.folder / "static" / "staticfiles.json").read_text())["paths"]
    plain = next(name for name in manifest if name.endswith(".css") and name.startswith("spindle/"))
    hashed = stack.ask(f"/static/{manifest[plain]}", Accept_Encoding="gzip")
    assert (hashed.status, hashed.headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable")
    assert hashed.headers["Content-Type"].startswith("text/css")
    assert hashed.headers["Content-Encoding"] == "gzip"  # as it was packed at build
    assert stack.ask(f"/static/{plain}").headers["Cache-Control"] == "public, max-age=3600"
    assert stack.ask("/static/none.css").status == 404


def test_the_shop_answers_over_tls_and_plain_http_is_sent_there(stack: Stack) -> None:
    answer = stack.ask("/titles/P-7/")
    assert (answer.status, b"Nine songs" in answer.body) == (200, True)
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")
    assert answer.headers["Server"] == "nginx"
    with closing(http.client.HTTPConnection("127.0.0.1", stack.plain, timeout=10)) as connection:
        connection.request("GET", "/cart/", headers={"Host": HOST, "X-Forwarded-Proto": "https"})
        plain = connection.getresponse()
        assert (plain.status, plain.headers["Location"]) == (308, f"https://{HOST}/cart/")


@pytest.mark.parametrize("name", ["X-Forwarded-Proto", "X_Forwarded_Proto"])
def test_who_speaks_plain_http_to_the_shop_is_sent_to_tls_whatever_he_claims(stack: Stack, name: str) -> None:
    """Where nginx itself has no TLS, `$scheme` is http: what a visitor claims never gets through to Django."""
    with closing(socket.create_connection(("127.0.0.1", stack.plain), 10)) as line:
        line.sendall(f"GET /admin/ HTTP/1.0\r\nHost: {HOST}\r\n{name}: https\r\n\r\n".encode())
        assert line.recv(100).startswith(b"HTTP/1.1 308 ")


def test_no_forwarded_header_of_a_visitor_reaches_django(stack: Stack) -> None:
    """What arrives at gunicorn's place, seen by a server of our own there."""
    with Echo() as (port, seen):
        lines = (ROOT / "deploy" / "nginx" / "proxy.conf").read_text().replace("web:8000", f"127.0.0.1:{port}")
        conf = stack.folder / f"echo-{port}"
        temp = conf / "temp"
        temp.mkdir(parents=True)
        temp.chmod(0o777)
        (conf / "proxy.conf").write_text(lines)
        front = free_port()
        paths = " ".join(f"{kind}_temp_path {temp / kind};" for kind in TEMP)
        server = f"listen 127.0.0.1:{front}; set $proto $scheme; location / {{ include proxy.conf; }}"
        http_ = f"access_log off; {paths} server {{ {server} }}"
        (conf / "nginx.conf").write_text(f"pid {temp / 'pid'}; events {{}} http {{ {http_} }}")
        # As root as well: the configuration must not depend on who starts it.
        arguments = ["/usr/sbin/nginx", "-e", "stderr", "-c", str(conf / "nginx.conf"), "-g", "daemon off;"]
        process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL)
        try:
            wait(lambda: answers(front), "nginx")
            with closing(http.client.HTTPConnection("127.0.0.1", front, timeout=10)) as connection:
                connection.request("GET", "/", headers={"Host": HOST} | SPOOFED)
                assert connection.getresponse().status == 204
        finally:
            process.terminate()
            process.wait()
    headers = {
        name.lower(): value for name, value in (line.split(": ", 1) for line in seen[-1].splitlines()[1:] if line)
    }
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["host"] == HOST
    assert not {"forwarded", "x-real-ip", "x-forwarded-host", "x-forwarded-port", "x_forwarded_for"} & headers.keys()
    assert headers["x-request-id"] != "mine"
    assert len(headers["x-request-id"]) == 32


TEMP = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
SPOOFED = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "203.0.113.9",
    "X_Forwarded_For": "203.0.113.9",
    "Forwarded": "for=203.0.113.9;proto=https",
    "X-Real-IP": "203.0.113.9",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "1",
    "X-Request-ID": "mine",
}


def test_another_shops_name_is_refused(stack: Stack) -> None:
    assert stack.ask("/", Host="evil.example").status == 400


def test_monitoring_is_not_for_everybody(stack: Stack) -> None:
    for path in ("/metrics", "/metrics/", "/readyz", "/readyz/"):
        answer = stack.ask(path)
        assert (answer.status, b"nginx" in answer.body) == (404, True)


def test_the_plants_network_has_the_agents_doors_only(stack: Stack) -> None:
    for path in ("/", "/admin/", "/orders/none/", "/static/", "/metrics", "/readyz"):
        assert stack.ask(path, plant=True).status == 404


def test_a_body_that_is_too_large_is_refused_by_nginx(stack: Stack) -> None:
    answer = stack.ask("/cart/", method="POST", Content_Length=str(4 << 20))
    assert answer.status == 413


def test_the_access_log_keeps_no_order_link(stack: Stack) -> None:
    secret = "k3pt-s3cret-token"
    asked = stack.ask(f"/orders/{secret}/progress/", Referer=f"https://{HOST}/orders/{secret}/")
    assert asked.status == 404
    assert stack.ask(f"/checkout/paid/{secret}/?session={secret}").status in {302, 404}
    wait(lambda: '"/checkout/paid/-"' in (stack.folder / "access.log").read_text(), "the log")
    text = (stack.folder / "access.log").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert "/orders/-/progress/" in {line["path"] for line in lines}
    assert len({line["request_id"] for line in lines}) > 1
    assert secret not in text + stack.log("nginx")
    assert stack.made["token"] not in text + stack.log("nginx")


def test_a_real_agent_resumes_through_it_after_the_connection_was_cut(stack: Stack, content: bytes) -> None:
    folder = stack.folder / "agent"
    folder.mkdir()
    listen = free_port()
    with Cutter(stack.plant, after=2_000_000) as cutter:
        (folder / "agent.toml").write_text(_agent_toml(stack, listen, f"http://127.0.0.1:{cutter.port}"))
        arguments = [sys.executable, "-m", "devices.agent", "--config", str(folder / "agent.toml")]
        process = stack.start("agent", arguments, stack.env("agent"))
        try:
            wait(lambda: answers(listen), "the agent")
            order = {"layout": "iso", "size": len(content), "name": "Nine songs"}
            _command(stack, listen, "PUT", json.dumps(order))
            wait(lambda: _command(stack, listen, "GET", None)["state"] != "receiving", "the image")
            address = f"http://127.0.0.1:{listen}/v1/state"
            assert stack.run("python", "deploy/healthcheck.py", "agent", address, check=False).returncode == 0
        finally:
            process.terminate()
            process.wait()
    asked = [head for head in cutter.heads if "/files/" in head]
    assert len(asked) == 2, stack.log("agent")
    assert "range" not in asked[0].lower()
    (offset,) = [line for line in asked[1].splitlines() if line.lower().startswith("range: bytes=")]
    assert 0 < int(offset.split("=")[1].rstrip("-")) <= 2_000_000
    (kept,) = [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size == len(content)]
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == stack.made["sha256"]
    assert f"image {stack.made['sha256']}: ready" in stack.log("agent")


def _agent_toml(stack: Stack, listen: int, server: str) -> str:
    digest = hashlib.sha256(stack.made["command"].encode()).hexdigest()
    return f"""
[writer]
id = "{stack.made["writer"]}"
name = "Writer 1"
listen = "127.0.0.1:{listen}"
advertise = false
[server]
url = "{server}"
token = "{stack.made["token"]}"
[accept]
tokens_sha256 = ["{digest}"]
[driver]
name = "xorriso"
[[driver.drives]]
id = "d1"
device = "stdio:discs/{{serial}}.img"
kinds = ["CD-R"]
"""


def _command(stack: Stack, port: int, method: str, body: str | None) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {stack.made['command']}", "Content-Type": "application/json"}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request(method, f"/v1/images/{stack.made['sha256']}", body, headers)
        answer: dict[str, str] = json.loads(connection.getresponse().read())
    return answer


@pytest.fixture(autouse=True)
def no_errors(stack: Stack) -> Iterator[None]:
    yield
    assert "Traceback" not in stack.log("web")
    assert "emerg" not in stack.log("nginx")


def test_workers_and_beat_start_and_say_that_they_live(stack: Stack) -> None:
    started = [stack.start(name, command(name), stack.env(name)) for name in ("worker", "mastering", "beat")]
    try:
        for name in ("worker", "beat"):
            wait(lambda name=name: _health(stack, name).returncode == 0, name)  # type: ignore[misc]  # a default argument
        wait(lambda: _pongs(stack) == {"ticks", "mastering"}, "both workers")
        assert [process.poll() for process in started] == [None, None, None]
    finally:
        for process in started:
            process.terminate()
        ends = [process.wait(30) for process in started]
    assert ends == [0, 0, 0]  # each ends by itself and cleanly, well within its grace


def _pongs(stack: Stack) -> set[str]:
    asked = stack.run("celery", "-A", "storefront", "inspect", "ping", "--timeout", "5", "--json", check=False)
    return {name.partition("@")[0] for name in json.loads(asked.stdout or "{}")} if asked.returncode == 0 else set()


def test_health_checks_say_yes_and_no(stack: Stack) -> None:
    assert _health(stack, "redis").stdout == "PONG\n"
    assert _health(stack, "postgres").returncode == 0
    assert _health(stack, "nginx").returncode == 0
    assert _health(stack, "nginx", free_port()).returncode != 0
    for port, code in ((stack.web, 0), (free_port(), 1)):
        assert stack.run("python", "deploy/healthcheck.py", "web", _ready(port), check=False).returncode == code


def _ready(port: int) -> str:
    return f"http://127.0.0.1:{port}/readyz"


def _health(stack: Stack, name: str, port: int | None = None) -> subprocess.CompletedProcess[str]:
    """The service's health check, at this stack's addresses."""
    test = [filled(part) for part in services()[name]["healthcheck"]["test"][1:]]
    test = [part.replace("127.0.0.1/8080", f"127.0.0.1/{port or stack.plain}") for part in test]
    if name == "redis":
        test[1:1] = ["-s", str(stack.redis)]
    if name == "postgres":
        test = ["pg_isready", "--host", str(stack.postgres.folder), *test[1:]]
    return stack.run(*test, check=False)


def test_production_settings_leave_nothing_to_say(stack: Stack) -> None:
    said = stack.run("python", "manage.py", *command("manage"), "--fail-level", "WARNING")
    assert "no issues" in said.stdout + said.stderr


def test_what_nginx_runs_is_what_the_image_has(stack: Stack) -> None:
    """The stack starts nginx with the arguments of the Dockerfile's CMD."""
    text = (ROOT / "Dockerfile").read_text()
    assert 'CMD ["nginx", "-e", "stderr", "-c", "/etc/nginx/spindle/nginx.conf", "-g", "daemon off;"]' in text
    assert Path("/usr/sbin/nginx").exists()
