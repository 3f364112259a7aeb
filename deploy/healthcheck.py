"""Asks one role of the image whether it is well; the exit code is the answer.

Must need nothing but the standard library: it runs every few seconds.
"""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request

SECONDS = 5.0


def web(address: str = "http://127.0.0.1:8000/readyz") -> bool:
    """200 from /readyz, asked as the proxy would ask."""
    host = os.environ.get("SPINDLE_ALLOWED_HOSTS", "127.0.0.1").split(",")[0].strip().removeprefix(".")
    request = urllib.request.Request(address, headers={"Host": host, "X-Forwarded-Proto": "https"})  # noqa: S310  (our own address)
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310  (our own address)
            return bool(answer.status == 200)
    except OSError:
        return False


def agent(address: str = "http://127.0.0.1:9101/v1/state") -> bool:
    """An agent answers 401 to whoever has no token: it lives."""
    try:
        with urllib.request.urlopen(address, timeout=SECONDS):  # noqa: S310  (our own address)
            return False  # it told its state to anybody
    except urllib.error.HTTPError as error:
        with error:
            return error.code == 401
    except OSError:
        return False


if __name__ == "__main__":
    role, *address = sys.argv[1:]
    sys.exit(0 if {"web": web, "agent": agent}[role](*address) else 1)
