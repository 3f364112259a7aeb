"""What the shop's own logs add: a request is named by its route, because a private link is in its path."""

from __future__ import annotations

import logging
import logging.config
from collections.abc import Iterable
from typing import Any

from devices.agent import logs

QUIET = {
    "django": "INFO",
    "django.db.backends": "INFO",  # its DEBUG lines are SQL with every value in it
    "django.request": "ERROR",
    "django.server": "INFO",
    "celery": "WARNING",
    "stripe": "WARNING",
    "weasyprint.progress": "WARNING",
    "fontTools": "WARNING",
}


class RouteForPath(logging.Filter):
    """Django's lines about a request name its path; here they name its route."""

    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)
        path = getattr(request, "path", None)
        if path and isinstance(record.args, tuple):
            record.args = tuple(route_of(request) if arg == path else arg for arg in record.args)
        return True


class NoLetters(logging.Filter):
    """WeasyPrint warns of letters without a glyph, and they are a customer's. The papers hear it; no log does."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.name != "weasyprint" or record.levelno >= logging.ERROR


def route_of(request: object) -> str:
    """«orders/<slug:token>/»; «no route» where the address fits none."""
    match = getattr(request, "resolver_match", None)
    return str(match.route) if match is not None else "no route"


def config(form: str, level: str, secrets: Iterable[str]) -> dict[str, Any]:
    """For `LOGGING` in the settings."""
    made = logs.config(form, level, secrets, QUIET)
    made["filters"] = {"routes": {"()": RouteForPath}, "letters": {"()": NoLetters}}
    made["handlers"]["stderr"]["filters"] = ["routes", "letters"]
    return made


def configure_server(made: dict[str, Any]) -> None:
    """For web, worker and beat. A command of an operator shows its own traceback to whoever called it."""
    logging.config.dictConfig(made)
    logs.catch_the_rest()
