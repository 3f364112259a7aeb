"""The production set on this machine without Docker: the commands, environment and nginx configuration of the compose
file, with addresses and folders moved to private ones. Every process belongs to one `Stack` and ends with it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.production.compose import ROOT, command, environment
from tests.servers.postgres import Postgres, running_postgres

HOST = "shop.example"
BIN = str(Path(sys.executable).parent)


@dataclass
class Stack:
    folder: Path
    postgres: Postgres
    web: int = field(default_factory=lambda: free_port())
    tls: int = field(default_factory=lambda: free_port())
    plain: int = field(default_factory=lambda: free_port())
    plant: int = field(default_factory=lambda: free_port())
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    made: dict[str, str] = field(default_factory=dict)
    also_called: str = ""  # another host name that the shop answers to
    plant_host: str = "127.0.0.1"  # where agents reach it
    agent_networks: str = ""  # where it may call agents as well

    @property
    def images(self) -> Path:
        return self.folder / "data" / "images"

    @property
    def redis(self) -> Path:
        return self.folder / "redis.sock"

    def env(self, service: str = "web") -> dict[str, str]:
        """The service's environment in the compose file; folders and servers are this stack's own."""
        own = {name: self.moved(value) for name, value in environment(service).items()}
        own |= {"SPINDLE_DATA": str(self.folder / "data"), "SPINDLE_STATIC": str(self.folder / "static")}
        own["SPINDLE_ALIVE"] = str(self.folder / "alive")
        own |= {"PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONUNBUFFERED": "1", "HOSTNAME": socket.gethostname()}
        own |= {"PYTHONDONTWRITEBYTECODE": "1", "DJANGO_SETTINGS_MODULE": "storefront.settings", "LANG": "C.UTF-8"}
        if self.also_called and "SPINDLE_ALLOWED_HOSTS" in own:
            own["SPINDLE_ALLOWED_HOSTS"] += f",{self.also_called}"
        if self.agent_networks and "SPINDLE_AGENT_NETWORKS" in own:
            own["SPINDLE_AGENT_NETWORKS"] += f",{self.agent_networks}"
        own["REDIS_URL"] = f"redis+socket://{self.redis}?virtual_host=0"
        if service != "agent" and os.geteuid() == 0:
            own["PYTHONWARNINGS"] = "ignore:You're running the worker"  # the image has an ordinary user
        return own

    def moved(self, text: str) -> str:
        return text.replace("/run/secrets", str(self.folder / "secrets"))

    def start(self, name: str, arguments: list[str], env: dict[str, str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(arguments, cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True)
        self.running.append(process)
        return process

    def wait_for(self, port: int, name: str) -> None:
        """Until the process started last listens there."""
        process = self.running[-1]

        def listens() -> bool:
            assert process.poll() is None, self.log(name)
            return answers(port)

        wait(listens, name)

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(arguments, cwd=ROOT, env=self.env(), capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def start_web(self) -> None:
        arguments = [part.replace("0.0.0.0:8000", f"127.0.0.1:{self.web}") for part in command("web")]
        self.start("web", arguments, self.env())
        self.wait_for(self.web, "web")

    def start_redis(self) -> None:
        options = ["--port", "0", "--unixsocket", str(self.redis), "--dir", str(self.folder)]
        self.start("redis", [*command("redis"), *options], self.env())
        wait(self.redis.exists, "redis")

    def start_nginx(self) -> None:
        """With the arguments of the image's CMD. As root it is started as the image's user, www-data."""
        conf = self.folder / "nginx"
        shutil.copytree(ROOT / "deploy" / "nginx", conf)
        (conf / "tmp").mkdir()
        for file in conf.glob("*.conf"):
            file.write_text(self._nginx_here(file.read_text()))
        log = self.folder / "access.log"
        log.touch()
        as_user: list[str] = []
        if os.geteuid() == 0:
            user = pwd.getpwnam("www-data")
            for path in (conf / "tmp", log):
                os.chown(path, user.pw_uid, user.pw_gid)
            as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]
        arguments = ["/usr/sbin/nginx", "-e", "stderr", "-c", str(conf / "nginx.conf"), "-g", "daemon off;"]
        self.start("nginx", [*as_user, *arguments], {"PATH": os.environ["PATH"]})
        self.wait_for(self.plain, "nginx")

    def _nginx_here(self, text: str) -> str:
        for old, new in {  # in this order: this folder lies in /tmp itself
            " /tmp/": f" {self.folder / 'nginx' / 'tmp'}/",
            "web:8000": f"127.0.0.1:{self.web}",
            "listen 8080": f"listen 127.0.0.1:{self.plain}",
            "listen 8443": f"listen 127.0.0.1:{self.tls}",
            "listen 8081": f"listen {self.plant_host}:{self.plant}",
            "/srv/images/": f"{self.images}/",
            "/srv/static/": f"{self.folder / 'static'}/",
            "/dev/stdout": str(self.folder / "access.log"),
        }.items():
            text = text.replace(old, new)
        return self.moved(text)

    def end(self) -> None:
        for process in reversed(self.running):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in reversed(self.running):
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def ask(self, path: str, *, method: str = "GET", plant: bool = False, **headers: str) -> Answer:
        """One request to nginx over TLS, or on the plant's network."""
        return self.send(method, path, None, headers, plant=plant)

    def send(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], *, plant: bool = False
    ) -> Answer:
        connection: http.client.HTTPConnection
        if plant:
            connection = http.client.HTTPConnection("127.0.0.1", self.plant, timeout=20)
        else:
            trust = ssl.create_default_context(cafile=str(self.folder / "secrets" / "tls_certificate"))
            trust.check_hostname = False  # it is dialled by number
            connection = http.client.HTTPSConnection("127.0.0.1", self.tls, timeout=20, context=trust)
        with contextlib.closing(connection):
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, headers={"Host": HOST} | named)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False


def wait(ready: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, f"{what} was not ready within {seconds:.0f} s"
        time.sleep(0.05)


def make_secrets(folder: Path, database_url: str) -> None:
    """As docs/deploy.md says, with a certificate of our own."""
    folder.mkdir(mode=0o755)
    (folder / "database_url").write_text(database_url)
    subprocess.run([str(ROOT / "deploy" / "make-secrets"), str(folder)], check=True, stdout=subprocess.DEVNULL)
    folder.chmod(0o755)  # for the users that the containers would be
    for name, value in {
        "stripe_secret_key": "sk_live_none",
        "stripe_webhook_secrets": "whsec_one,whsec_two",
        "email_password": "none",
    }.items():
        (folder / name).write_text(value)
    subject = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}", "-days", "2", "-nodes"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    out = ["-keyout", str(folder / "tls_key"), "-out", str(folder / "tls_certificate")]
    subprocess.run(["openssl", "req", "-x509", *curve, *subject, *out], check=True, stderr=subprocess.DEVNULL)
    (folder / "tls_key").chmod(0o644)


@contextlib.contextmanager
def running_stack(
    title_bytes: int = 6_000_000,
    also_called: str = "",
    plant_host: str = "127.0.0.1",
    writers: int = 2,
    agent_networks: str = "",
) -> Iterator[Stack]:
    """PostgreSQL with a migrated database and some rows, Redis, web, and nginx in front."""
    folder = Path(tempfile.mkdtemp(prefix="spindle-production-", dir="/tmp"))  # a short path, for sockets
    folder.chmod(0o755)
    with running_postgres() as postgres:
        stack = Stack(folder, postgres, also_called=also_called, plant_host=plant_host, agent_networks=agent_networks)
        try:
            make_secrets(folder / "secrets", postgres.url())
            stack.run(*command("migrate"))
            # Without the admin's own files: nobody looks at them here, and packing them takes six seconds.
            stack.run("python", "manage.py", "collectstatic", "--noinput", "--ignore", "admin")
            titles = folder / "titles" / "nine-songs"
            titles.mkdir(parents=True)
            with (titles / "one.wav").open("wb") as song:
                for start in range(0, title_bytes, 1_000_000):
                    song.write(os.urandom(min(1_000_000, title_bytes - start)))
            stack.made = json.loads(
                stack.run("python", "-m", "tests.production.seed", str(titles), str(writers)).stdout
            )
            stack.start_redis()
            stack.start_web()
            stack.start_nginx()
            yield stack
        finally:
            stack.end()
            shutil.rmtree(folder, ignore_errors=True)
