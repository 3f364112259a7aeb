"""The agent's program: `spindle-agent --config agent.toml` runs it, `spindle-agent enrol …` makes it a writer.

Reads the arguments and owns the process; must never decide anything about discs.
"""

from __future__ import annotations

import argparse
import logging
import logging.config
import os
import signal
import sys
from pathlib import Path
from threading import Event
from types import FrameType

from devices.agent import logs
from devices.agent.config import ConfigError, read_config
from devices.agent.enrol import EnrolError, Wish, enrol
from devices.agent.journal import JournalError
from devices.agent.serving import ServerEndedError, Tls, serve
from devices.agent.tokens import TokenFileError

log = logging.getLogger("agent")


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="spindle-agent", description="Runs beside a disc writer.")
    parser.add_argument("--config", type=Path, metavar="agent.toml", help="what this agent drives (needed)")
    parser.add_argument("--tls-cert", metavar="FILE", help="PEM certificate chain; give --tls-key too")
    parser.add_argument("--tls-key", metavar="FILE")
    verbs = parser.add_subparsers(dest="verb", metavar="enrol")
    into = verbs.add_parser("enrol", help="become a writer of a server, with the code that it shows")
    # Not a default: it would undo what stands before the verb.
    into.add_argument("--config", type=Path, metavar="agent.toml", default=argparse.SUPPRESS)
    into.add_argument("--server", required=True, metavar="URL", help="the shop's address")
    into.add_argument("--code", required=True, help="shown by the server, good for one use within 15 minutes")
    into.add_argument(
        "--address", metavar="URL", help="where the server is to call this agent, if not by the usual way"
    )
    into.add_argument("--name", help="what the server is to call this writer, if not as agent.toml does")
    into.add_argument("--again", action="store_true", help="though it is enrolled already: it becomes another writer")
    return parser


def _log_to_stderr() -> None:
    form = os.environ.get("SPINDLE_LOG_FORMAT", "console")
    level = os.environ.get("SPINDLE_LOG_LEVEL", "INFO")
    quiet = {**dict.fromkeys(("uvicorn", "uvicorn.error", "asyncio"), "WARNING"), "zeroconf": "CRITICAL"}
    logging.config.dictConfig(logs.config(form, level, levels=quiet))
    logs.catch_the_rest()


def _enrol(config: Path, asked: argparse.Namespace) -> int:
    wish = Wish(asked.server, asked.code, asked.address, asked.name, asked.again)
    try:
        sys.stdout.write(enrol(read_config(config), wish) + "\n")
    except (ConfigError, EnrolError) as fault:
        sys.stderr.write(f"spindle-agent enrol: {fault}\n")
        return 2
    return 0


def _run(config: Path, tls: Tls | None) -> int:
    over = Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        over.set()

    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, stop)

    try:
        serve(read_config(config), tls, over)
    except (ConfigError, JournalError, TokenFileError, ServerEndedError, OSError) as fault:
        log.error("%s", str(fault))  # words for the operator, about the configuration and the folder alone
        return 2
    finally:
        logging.shutdown()
    return 0


def main(given: list[str] | None = None) -> int:
    parser = arguments()
    asked = parser.parse_args(given)
    if asked.config is None:
        parser.error("the following arguments are required: --config")
    if asked.verb == "enrol":
        return _enrol(asked.config, asked)
    if bool(asked.tls_cert) != bool(asked.tls_key):
        parser.error("--tls-cert and --tls-key go together")
    try:
        _log_to_stderr()
    except ValueError as fault:
        parser.error(str(fault))
    return _run(asked.config, Tls(asked.tls_cert, asked.tls_key) if asked.tls_cert else None)


if __name__ == "__main__":
    sys.exit(main())
