"""Starts the agent and ends it cleanly: `python -m devices.agent --config agent.toml`.

Puts the parts together and owns the process; must never decide anything about discs.
"""

from __future__ import annotations

import argparse
import logging
import logging.config
import os
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from types import FrameType

import uvicorn

from devices.agent import logs
from devices.agent.blanks import Blanks
from devices.agent.config import Config, ConfigError, read_config
from devices.agent.drivers import load_driver
from devices.agent.fetch import Fetcher
from devices.agent.journal import Journal, JournalError, utc_now
from devices.agent.ledger import Ledger
from devices.agent.press import Press, Shop
from devices.agent.reports import Reporter
from devices.agent.server import Parts, make_app
from devices.agent.state import Mirror
from devices.agent.store import Store
from devices.agent.tokens import TokenFileError, Tokens

log = logging.getLogger("agent")


class ServerEndedError(Exception):
    """The REST server is gone though nobody ended it; without it the agent is of no use."""


@dataclass(frozen=True, slots=True)
class Agent:
    """All parts, put together and not started yet."""

    config: Config
    parts: Parts
    tokens: Tokens
    reporter: Reporter | None
    stop: Event

    def start(self) -> None:
        for serial in self.parts.ledger.recover(utc_now()):
            log.error("disc %s: unknown: the agent stopped while it was being written", serial)
        self.parts.fetcher.start()
        self.parts.fetcher.want(self.parts.store.reconcile())
        self.parts.press.start()
        if self.reporter is not None:
            self.reporter.start()

    def end(self) -> None:
        """Within about four seconds; a disc under way becomes unknown."""
        self.stop.set()
        self.parts.journal.changes.wake()
        self.parts.fetcher.wake()
        self.parts.press.join(4.0)
        self.parts.fetcher.join(0.2)
        if self.reporter is not None:
            self.reporter.join(0.2)


def assemble(config: Config) -> Agent:
    """Raises ConfigError, JournalError, TokenFileError, OSError."""
    _make_private(config.state)
    stop = Event()
    report_token = config.server.token if config.server else None
    tokens = Tokens(config.state / "tokens.json", report_token, config.tokens_sha256)
    logs = config.state / "burners"
    logs.mkdir(exist_ok=True)
    drivers = {drive.id: load_driver(config.driver, drive, logs) for drive in config.drives}
    journal = Journal(config.state / "journal.sqlite3")
    log.info("journal %s%s", journal.journal_id, " made" if journal.born else "")
    ledger = Ledger(journal)
    blanks = Blanks(journal, config.drives)
    blanks.load()
    store = Store(journal, config.state / "images", config.disk_limit)
    press = Press(Shop(journal, ledger, blanks, store, stop), drivers, released=config.server is None)
    base = f"{config.server.url}/api/v1/writers/{config.writer}" if config.server else None
    fetcher = Fetcher(store, tokens, f"{base}/files" if base else None, stop)
    mirror = Mirror(config, journal, ledger, blanks, store, press)
    reporter = (
        Reporter(f"{base}/report", mirror, ledger, tokens, journal.changes, press.release, stop) if base else None
    )
    return Agent(config, Parts(config, journal, ledger, store, fetcher, press, mirror), tokens, reporter, stop)


def _make_private(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    # mkdir's mode goes through the umask, and the folder may have been there before.
    folder.chmod(0o700)


def _listen(config: Config) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        return socket.create_server((config.host, config.port), family=family, backlog=128)
    except OSError as fault:
        raise ConfigError(
            f"writer.listen: can't listen on {config.host}:{config.port} ({fault.strerror}); use another port"
        ) from fault


def _log_to_stderr() -> None:
    form = os.environ.get("SPINDLE_LOG_FORMAT", "console")
    level = os.environ.get("SPINDLE_LOG_LEVEL", "INFO")
    quiet = dict.fromkeys(("uvicorn", "uvicorn.error", "asyncio"), "WARNING")
    logging.config.dictConfig(logs.config(form, level, levels=quiet))
    logs.catch_the_rest()


def _web_server(agent: Agent, tls_cert: str | None, tls_key: str | None) -> uvicorn.Server:
    options = uvicorn.Config(
        make_app(agent.parts, agent.tokens),
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
        ssl_certfile=tls_cert,
        ssl_keyfile=tls_key,
    )
    try:
        options.load()
    except OSError as fault:  # ssl.SSLError is one
        raise ConfigError(f"--tls-cert, --tls-key: {tls_cert}, {tls_key} can't be used: {fault}") from fault
    return uvicorn.Server(options)


def serve(config: Config, tls_cert: str | None, tls_key: str | None, over: Event) -> None:
    """Run the agent until `over` is set. Raises what `assemble` raises, and ConfigError."""
    with _listen(config) as listener:
        agent = assemble(config)
        server = _web_server(agent, tls_cert, tls_key)
        # Not in the main thread: uvicorn would take the signals, and end the process before our clean end.
        thread = Thread(target=server.run, kwargs={"sockets": [listener]}, name="http", daemon=True)
        agent.start()
        thread.start()
        host, port = listener.getsockname()[:2]
        if not config.tokens_sha256:
            log.warning("nobody may command this agent: give [accept] tokens_sha256")
        scheme = "https" if tls_cert else "http"
        log.info("%s: listening on %s://%s:%d, %d drives", config.name, scheme, host, port, len(config.drives))
        # In steps: on Windows a wait without an end hears no Ctrl-C.
        while not over.wait(0.5) and thread.is_alive():
            pass
        log.info("ending: no new disc begins")
        server.should_exit = True
        agent.end()
        thread.join(3.0)
        agent.parts.journal.close()
        log.info("ended")
    if not over.is_set():
        raise ServerEndedError("the REST server ended by itself")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="spindle-agent", description="Runs beside a disc writer.")
    parser.add_argument("--config", type=Path, required=True, metavar="agent.toml")
    parser.add_argument("--tls-cert", metavar="FILE", help="PEM certificate chain; give --tls-key too")
    parser.add_argument("--tls-key", metavar="FILE")
    asked = parser.parse_args(arguments)
    if bool(asked.tls_cert) != bool(asked.tls_key):
        parser.error("--tls-cert and --tls-key go together")
    try:
        _log_to_stderr()
    except ValueError as fault:
        parser.error(str(fault))
    over = Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        over.set()

    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, stop)

    try:
        serve(read_config(asked.config), asked.tls_cert, asked.tls_key, over)
    except (ConfigError, JournalError, TokenFileError, ServerEndedError, OSError) as fault:
        log.error("%s", str(fault))  # words for the operator, about the configuration and the folder alone
        return 2
    finally:
        logging.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
