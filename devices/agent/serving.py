"""The process's own life: it listens, serves, and becomes another writer when it was enrolled meanwhile.

An enrolment is taken over without a restart of the process: what the agent was is ended, and it begins anew behind the
same socket. A disc under way is finished first. Must never decide anything about discs.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic
from typing import Final

import uvicorn

from devices.agent.agent import Agent, assemble
from devices.agent.config import Config, ConfigError
from devices.agent.identity import FILE, Identity, about, identity_of, read_enrolment
from devices.agent.mdns import Beacon
from devices.agent.routes import make_app

log = logging.getLogger("agent")

LOOK: Final = 0.5
FAREWELL: Final = 10.0  # seconds in which the former server may still confirm what it was told


class ServerEndedError(Exception):
    """The REST server is gone though nobody ended it; without it the agent is of no use."""


@dataclass(frozen=True, slots=True)
class Tls:
    certificate: str
    key: str


def serve(config: Config, tls: Tls | None, over: Event) -> None:
    """Run the agent until `over` is set.

    Raises ConfigError, JournalError, TokenFileError, OSError, ServerEndedError.
    """
    with _listen(config) as listener:
        told = False
        while not over.is_set():
            watch = EnrolmentWatch(config)
            agent = assemble(config, watch.identity)
            with _answering(config, agent, tls, listener) as thread:
                _tell(config, agent, tls, listener, told=told)
                told = True
                _live(watch, agent, thread, over)
    log.info("ended")


@contextmanager
def _answering(config: Config, agent: Agent, tls: Tls | None, listener: socket.socket) -> Iterator[Thread]:
    """The agent at work, reachable and advertised; ended cleanly afterwards."""
    said = about(config, agent.identity) if config.advertise else None
    try:
        server = _web_server(make_app(agent.parts, agent.tokens, said), tls)
        beacon = Beacon(said, config.host, _port(listener)) if said is not None else None
    except BaseException:
        agent.close()
        raise
    # Not in the main thread: uvicorn would take the signals, and end the process before our clean end. It closes what
    # it was given, so that is a copy: callers wait at the listener while the agent becomes another writer.
    sockets = [listener.dup()]
    thread = Thread(target=server.run, kwargs={"sockets": sockets}, name="http", daemon=True)
    agent.start()
    thread.start()
    if beacon is not None:
        beacon.start()
    try:
        yield thread
    finally:
        server.should_exit = True
        agent.end()
        if beacon is not None:
            beacon.end(0.5)
        thread.join(3.0)
        agent.close()


def _live(watch: EnrolmentWatch, agent: Agent, thread: Thread, over: Event) -> None:
    """Until the end, or until the agent may go on as somebody else."""
    quiet_since: float | None = None
    # In steps: on Windows a wait without an end hears no Ctrl-C.
    while not over.wait(LOOK):
        if not thread.is_alive():
            raise ServerEndedError("the REST server ended by itself")
        fresh = watch.fresh()
        if fresh is None:
            agent.stay()
            continue
        agent.take_leave(of_writer=fresh.writer != agent.identity.writer)
        if not agent.is_quiet():
            continue
        quiet_since = quiet_since or monotonic()
        if agent.is_told() or monotonic() - quiet_since > FAREWELL:
            log.info("goes on as it was enrolled, as writer %s", fresh.writer)
            return
    log.info("ending: no new disc begins")


class EnrolmentWatch:
    """Who the agent is, and when `enrol` was run beside it."""

    def __init__(self, config: Config) -> None:
        """Raises ConfigError."""
        self._config = config
        self._fresh: Identity | None = None
        self._stamp = self._look()
        self.identity = identity_of(config, read_enrolment(config.state))

    def fresh(self) -> Identity | None:
        """Who this agent is to be, once that is another one than it is."""
        stamp = self._look()
        if stamp == self._stamp:
            return self._fresh
        self._stamp = stamp
        try:
            found = identity_of(self._config, read_enrolment(self._config.state))
        except ConfigError as fault:
            log.error("the enrolment is not taken over: %s", fault)
            return self._fresh
        if found == self.identity or found.writer is None:
            self._fresh = None
        else:
            log.info("enrolled anew: no disc begins until this agent has become writer %s", found.writer)
            self._fresh = found
        return self._fresh

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = (self._config.state / FILE).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


def _tell(config: Config, agent: Agent, tls: Tls | None, listener: socket.socket, *, told: bool) -> None:
    if agent.identity.writer is None:
        log.warning(
            "not enrolled: nothing is written here before `spindle-agent enrol --server URL --code CODE --config FILE`"
        )
    elif not agent.identity.tokens_sha256:
        log.warning("nobody may command this agent: give [accept] tokens_sha256")
    if not told:
        scheme = "https" if tls is not None else "http"
        host, port = config.host, _port(listener)
        log.info("%s: listening on %s://%s:%d, %d drives", config.name, scheme, host, port, len(config.drives))


def _port(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def _listen(config: Config) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        return socket.create_server((config.host, config.port), family=family, backlog=128)
    except OSError as fault:
        raise ConfigError(
            f"writer.listen: can't listen on {config.host}:{config.port} ({fault.strerror}); use another port"
        ) from fault


def _web_server(app: object, tls: Tls | None) -> uvicorn.Server:
    options = uvicorn.Config(
        app,  # type: ignore[arg-type]
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
        ssl_certfile=tls.certificate if tls is not None else None,
        ssl_keyfile=tls.key if tls is not None else None,
    )
    try:
        options.load()
    except OSError as fault:  # ssl.SSLError is one
        used = f"{tls.certificate}, {tls.key}" if tls is not None else ""
        raise ConfigError(f"--tls-cert, --tls-key: {used} can't be used: {fault}") from fault
    return uvicorn.Server(options)
