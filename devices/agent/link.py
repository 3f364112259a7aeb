"""HTTP to the server: opens connections and follows addresses; no redirect is followed with a token to elsewhere.

Must never interpret what is carried.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Final
from urllib.parse import urljoin, urlsplit

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTS: Final = 3


class RedirectError(Exception):
    """The server sends us in a circle, or somewhere that isn't HTTP."""


@dataclass(frozen=True, slots=True)
class Download:
    """An answer whose body is still to be read; close the connection afterwards."""

    connection: HTTPConnection
    response: HTTPResponse


def connect(url: str, timeout: float) -> tuple[HTTPConnection, str]:
    """A connection (not opened yet) and the path to ask for."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise RedirectError(f"{url} is not an address")
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    if parts.scheme == "https":
        context = ssl.create_default_context()
        return HTTPSConnection(parts.hostname, parts.port, timeout=timeout, context=context), path or "/"
    return HTTPConnection(parts.hostname, parts.port, timeout=timeout), path or "/"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    location: str


def post_json(url: str, token: str | None, body: bytes, timeout: float) -> Answer:
    """Follows no redirect; takes in at most 1 MiB. Raises OSError, HTTPException, RedirectError."""
    connection, path = connect(url, timeout)
    try:
        headers = {"Content-Type": "application/json", "Accept": "application/json, application/problem+json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        return Answer(response.status, response.read(1 << 20), response.getheader("Location") or "")
    finally:
        connection.close()


def open_download(url: str, token: str, offset: int, timeout: float) -> Download:
    """GET from `offset` on. A redirect may lead to the image's own storage: the token stays at home."""
    home = urlsplit(url)[:2]
    for _ in range(MOST_REDIRECTS + 1):
        connection, path = connect(url, timeout)
        headers = {"Accept-Encoding": "identity"}
        if urlsplit(url)[:2] == home:
            headers["Authorization"] = f"Bearer {token}"
        if offset:
            headers["Range"] = f"bytes={offset}-"
        try:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
        except BaseException:
            connection.close()
            raise
        if response.status not in REDIRECTS:
            return Download(connection, response)
        url = urljoin(url, response.getheader("Location") or "")
        connection.close()
    raise RedirectError(f"the server redirects more than {MOST_REDIRECTS} times")
