"""How every process of the house writes its log: one line per event, with the order, write and serial it is about.

The agent and the shop use the same. Must never let a secret, a person's data or a forged line into a log:
an exception says what kind it is and where it came from, and its own words only if they can't hold what was typed in.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from traceback import extract_tb
from types import TracebackType
from typing import Any, Final

from structlog.contextvars import get_contextvars

# What a record may carry beside its text (`extra=`). Anything else, such as a request object, stays out.
FIELDS: Final = (
    "order",
    "shipment",
    "job",
    "write",
    "writer",
    "serial",
    "old",
    "new",
    "reason",
    "method",
    "route",
    "status",
    "seconds",
)

OURS: Final = ("storefront.", "fulfillment.", "devices.", "archive.")
INFRASTRUCTURE: Final = ("redis.", "kombu.", "celery.", "billiard.", "urllib3.", "http.", "ssl.", "socket.")
# Faults of the code or the machine: their words name attributes, types and files, never a value.
PLAIN: Final = (
    AttributeError,
    NameError,
    ImportError,
    TypeError,
    OSError,
    MemoryError,
    RecursionError,
    ArithmeticError,
)
CLUES: Final = ("errno", "sqlstate", "smtp_code", "http_status", "code", "param", "request_id")

# The last net, for what slipped through: shapes that are secrets or addresses wherever they stand.
NET: Final = (
    (re.compile(r"[\w.+'-]+@[\w-]+(?:\.[\w-]+)+"), "[email]"),
    (re.compile(r"(?i)\bbearer\s+[\w.~+/=-]+"), "Bearer [secret]"),
    (re.compile(r"\b(?:sk|rk|pk)_(?:test|live)_\w+|\bwhsec_\w+"), "[secret]"),
    (re.compile(r"(?<=://)[^\s/@:\"]*:[^\s/@\"]+@"), "[secret]@"),
    (
        re.compile(r"(?i)\b(sessionid|csrftoken|csrfmiddlewaretoken)\b([\"']?[=:]\s*[\"']?)[^\s;,\"'&]+"),
        r"\1\2[secret]",
    ),
    (re.compile(r"(?<=/)[0-9a-f]{32}(?![0-9a-f])"), "[token]"),  # a private link
)
CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def told(error: BaseException) -> str:
    """What a log may say of an exception: its type, its codes, and its words where they can't repeat an input."""
    kind = type(error).__name__
    clues = [
        f"{name} {value}" for name in CLUES if isinstance(value := getattr(error, name, None), int | str) and value
    ]
    constraint = getattr(getattr(error, "diag", None), "constraint_name", None)
    if constraint:
        clues.append(f"constraint {constraint}")
    if _speaks(error):
        return f"{kind}: {str(error).partition(chr(10))[0]}"
    cause = error.__cause__ or (error.__context__ if not error.__suppress_context__ else None)
    because = f" because of {told(cause)}" if cause is not None else ""
    return kind + (f" ({', '.join(clues)})" if clues else "") + because


def _speaks(error: BaseException) -> bool:
    """One of ours may quote the foreign one that it was raised from; then neither is repeated."""
    module = f"{type(error).__module__}."
    if isinstance(error, PLAIN) and not module.startswith(("smtplib.", "django.")):
        return True  # an SMTPException is an OSError, and quotes the address
    if type(error).__name__ == "OperationalError":  # of a database: its first line says what is locked, full or away
        return True
    if not module.startswith(OURS + INFRASTRUCTURE):
        return False
    return error.__cause__ is None or _speaks(error.__cause__)


def escaped(text: str) -> str:
    """On one line, whatever somebody sent: no value can forge a line of the log or steer a terminal."""
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


class OneLine(logging.Formatter):
    """`json`: an object per line, for machines. `console`: for people; a traceback is the one thing of several lines.

    `secrets` are values that are blacked out wherever they turn up.
    """

    def __init__(self, form: str, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        if form not in {"json", "console"}:
            raise ValueError(f"SPINDLE_LOG_FORMAT must be json or console, not {form!r}.")
        self._json = form == "json"
        long = {secret for secret in secrets if len(secret) >= 8}
        spelt = {json.dumps(secret, ensure_ascii=False)[1:-1] for secret in long} if self._json else set[str]()
        self._secrets = sorted(long | spelt, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        fields = get_contextvars() | {name: value for name in FIELDS if (value := getattr(record, name, "")) != ""}
        said = _said(record)
        stamp = datetime.fromtimestamp(record.created, UTC)
        chain = list(_chain(record.exc_info[1])) if record.exc_info and record.exc_info[1] else []
        if self._json:
            event: dict[str, object] = {"at": f"{stamp:%Y-%m-%dT%H:%M:%S.%f}Z", "level": record.levelname.lower()}
            event |= {"logger": record.name, "event": said}
            event |= {name: _plain(value) for name, value in fields.items()}
            line = json.dumps(event | ({"exception": chain} if chain else {}), ensure_ascii=False)
            return self._net(CONTROL.sub(" ", line))  # what JSON leaves as it is: U+0085, U+2028
        about = "".join(f" {name}={escaped(str(value))}" for name, value in fields.items() if str(value) not in said)
        line = f"{stamp:%Y-%m-%dT%H:%M:%S}Z {record.levelname:<7} {record.name}: {escaped(said)}{about}"
        return self._net("\n".join([line, *_told_below(chain)]))

    def _net(self, line: str) -> str:
        for secret in self._secrets:
            line = line.replace(secret, "[secret]")
        for shape, instead in NET:
            line = shape.sub(instead, line)
        return line


def _said(record: logging.LogRecord) -> str:
    """The record's text; exceptions in it say no more than `told` lets them."""
    errors = [record.exc_info[1]] if record.exc_info and record.exc_info[1] else []
    args = record.args
    if isinstance(args, Mapping):
        args = {name: _argument(value) for name, value in args.items()}
    elif isinstance(args, tuple):
        args = tuple(_argument(value) for value in args)
    text = str(record.msg) % args if args else str(_argument(record.msg))
    for error in errors:  # a library that put the exception's words into its own text
        words = next((words for words in (repr(error), str(error)) if len(words) > 3 and words in text), None)
        if words:
            text = text.replace(words, told(error))
    return text


def _argument(value: object) -> object:
    return told(value) if isinstance(value, BaseException) else value


def _chain(error: BaseException | None) -> Iterator[dict[str, object]]:
    """An exception and what it came from, newest first: kind, words, and where in the code; never a local's value."""
    while error is not None:
        yield {"told": told(error), "frames": _frames(error.__traceback__)}
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _frames(traceback: TracebackType | None) -> list[str]:
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in extract_tb(traceback)]


def _told_below(chain: list[dict[str, object]]) -> Iterator[str]:
    for link in chain:
        yield f"    {escaped(str(link['told']))}"
        frames = link["frames"]
        if isinstance(frames, list):
            yield from (f"      at {escaped(frame)}" for frame in frames)


def _plain(value: object) -> object:
    return value if isinstance(value, int | float | str | bool) or value is None else str(value)


def config(
    form: str, level: str, secrets: Iterable[str] = (), levels: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """A `logging` configuration: everything to stderr through `OneLine`. Raises ValueError for an unknown `form`."""
    OneLine(form)  # said at the start, not at the first line
    quiet = {name: {"level": own, "handlers": [], "propagate": True} for name, own in (levels or {}).items()}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": OneLine, "form": form, "secrets": list(secrets)}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": quiet,
    }


def catch_the_rest() -> None:
    """Warnings, and exceptions that nobody catches, are lines like all others."""
    logging.captureWarnings(True)
    log = logging.getLogger("uncaught")

    def uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, traceback)
        else:
            log.critical("ended by an exception", exc_info=(kind, error, traceback))

    def in_thread(args: threading.ExceptHookArgs) -> None:
        name = args.thread.name if args.thread else "a thread"
        if args.exc_value is not None:
            log.error("%s ended by an exception", name, exc_info=(args.exc_type, args.exc_value, args.exc_traceback))

    sys.excepthook = uncaught
    threading.excepthook = in_thread
