"""A private PostgreSQL on a unix socket, started and killed at will. It refuses root: root starts it as `postgres`.

python -m tests.servers.postgres COMMAND …    runs the command with such a server as its DATABASE_URL
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

# What was committed is in the kernel's hands, so a killed *process* loses nothing; only a dead machine would.
SETTINGS = ("listen_addresses=", "max_connections=100", "fsync=off", "shared_buffers=64MB")


@dataclass
class Postgres:
    """One cluster in `folder`, which is its socket's folder as well. `start` after `kill` recovers by its log."""

    folder: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    @classmethod
    def create(cls) -> Postgres:
        folder = Path(tempfile.mkdtemp(prefix="spindle-postgres-", dir="/tmp"))  # a short path, for the socket
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        cluster = cls(folder)
        init = [_program("initdb"), "--pgdata", str(cluster.data), "--username", "spindle", "--auth", "trust"]
        subprocess.run([*_ordinary(), *init, "--encoding", "UTF8", "--no-sync"], check=True, stdout=subprocess.DEVNULL)
        return cluster

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str = "spindle") -> str:
        """As DATABASE_URL takes it."""
        return f"postgres://spindle@{quote(str(self.folder), safe='')}/{database}"

    def start(self) -> None:
        """Returns when connections are taken. What was written before a kill is recovered first."""
        options = [part for setting in SETTINGS for part in ("-c", setting)]
        log = (self.folder / "log").open("ab")
        with log:
            command = [_program("postgres"), "-D", str(self.data), "-k", str(self.folder), *options]
            self.process = subprocess.Popen([*_ordinary(), *command], stdout=log, stderr=log, start_new_session=True)
        ready = [_program("pg_isready"), "--quiet", "--host", str(self.folder), "--timeout", "1"]
        while subprocess.run(ready, check=False).returncode != 0:
            if self.process.poll() is not None:
                raise RuntimeError(f"PostgreSQL ended:\n{(self.folder / 'log').read_text()[-2000:]}")

    def make(self, database: str = "spindle") -> None:
        command = [_program("createdb"), "--host", str(self.folder), "--username", "spindle", database]
        subprocess.run(command, check=True)

    def kill(self) -> None:
        """SIGKILL to the server and all its children, as a lost machine does it."""
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A started cluster with an empty database `spindle`."""
    cluster = Postgres.create()
    try:
        cluster.start()
        cluster.make()
        yield cluster
    finally:
        cluster.remove()


def _program(name: str) -> str:
    """Debian keeps the server's programs out of the PATH, by major version."""
    found = shutil.which(name) or max(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), default=None)
    if found is None:
        raise RuntimeError("PostgreSQL's server is missing; `make setup` installs it.")
    return found


def _ordinary() -> Sequence[str]:
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam("postgres")
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]


def main(command: Sequence[str]) -> int:
    """The command's own exit status."""
    with running_postgres() as cluster:
        return subprocess.run(command, env=os.environ | {"DATABASE_URL": cluster.url()}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
