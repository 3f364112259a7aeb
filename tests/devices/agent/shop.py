"""A small HTTP server that plays the shop to an agent: files with Range, reports, and faults."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import Any
from uuid import UUID

WRITER = UUID("5f0c0000-0000-4000-8000-000000000001")
REPORT = "report-token-1"


def digest_of(data: bytes) -> str:
    return sha256(data).hexdigest()


@dataclass
class Fault:
    """What the shop does with one request for a file instead of sending it."""

    status: int = 200
    body: bytes | None = None
    content_type: str = "application/octet-stream"
    cut_after: int | None = None
    no_range: bool = False
    location: str | None = None
    hold_after: int | None = None
    length: str | None = None  # what it says in Content-Length


class Shop(ThreadingHTTPServer):
    """Serves files with Range and takes reports, as the server does."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ShopHandler)
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[Fault]] = {}
        self.asked: list[tuple[str, str | None, str | None]] = []
        self.reports: list[dict[str, Any]] = []
        self.report_tokens: list[str] = []
        self.good_tokens = {REPORT}
        self.report_status = 200
        self.report_type = "journal-lost"
        self.enrolments: dict[str, tuple[int, dict[str, Any]]] = {}  # by code: status and answer
        self.enrolled: list[dict[str, Any]] = []
        self.writers = {WRITER}
        self.answer: Callable[[dict[str, Any]], dict[str, Any]] = lambda _report: {"recorded": []}
        self.news = Condition()
        self.let_go = Condition()
        self.holding = 0
        self.released = False
        self._thread = Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def put(self, data: bytes, *faults: Fault) -> str:
        digest = digest_of(data)
        self.files[digest] = data
        self.faults[digest] = list(faults)
        return digest

    def release(self) -> None:
        with self.let_go:
            self.released = True
            self.let_go.notify_all()

    def await_report(self, condition: Callable[[dict[str, Any]], Any], seconds: float = 20.0) -> dict[str, Any]:
        found: list[dict[str, Any]] = []

        def look() -> bool:
            found[:] = [report for report in self.reports if condition(report)]
            return bool(found)

        with self.news:
            assert self.news.wait_for(look, seconds), f"no such report; last: {self.reports[-1:]}"
        return found[0]

    def close(self) -> None:
        self.release()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A killed agent breaks its connections: nothing to tell."""


class ShopHandler(BaseHTTPRequestHandler):
    server: Shop
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """The test output is for the tests."""

    def _token(self) -> str:
        return (self.headers.get("Authorization") or "").removeprefix("Bearer ")

    def _send(self, status: int, body: bytes, content_type: str = "application/json", **extra: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in extra.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        shop = self.server
        report = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/api/v1/writers/enrol":
            shop.enrolled.append(report)
            status, answer = shop.enrolments.get(report["code"], (404, {}))
            extra = {"Location": answer["location"]} if "location" in answer else {}
            self._send(status, json.dumps(answer).encode(), **extra)
            return
        assert self.path in [f"/api/v1/writers/{writer}/report" for writer in shop.writers]
        with shop.news:
            shop.report_tokens.append(self._token())
            if self._token() not in shop.good_tokens:
                shop.news.notify_all()
                self._send(401, b'{"type": "unauthorized"}')
                return
            shop.reports.append(report)
            status, answer = shop.report_status, shop.answer(report)
            shop.news.notify_all()
        if status == 200:
            self._send(200, json.dumps(answer).encode())
        else:
            self._send(status, json.dumps({"type": shop.report_type}).encode())

    def do_GET(self) -> None:
        shop = self.server
        digest = self.path.rpartition("/")[2]
        asked = self.headers.get("Range")
        shop.asked.append((self.path, asked, self.headers.get("Authorization")))
        queue = shop.faults.get(digest) or []
        fault = queue.pop(0) if queue else Fault()
        at_home = self.path == f"/api/v1/writers/{WRITER}/files/{digest}"
        if at_home and self._token() not in shop.good_tokens:
            self._send(401, b"{}")
        elif fault.location:
            self._send(302, b"", Location=fault.location)
        elif fault.status != 200:
            self._send(fault.status, b"{}")
        elif digest not in shop.files:
            self._send(404, b"{}")
        else:
            self._send_file(shop.files[digest] if fault.body is None else fault.body, asked, fault)

    def _send_file(self, data: bytes, asked: str | None, fault: Fault) -> None:
        first = 0 if asked is None or fault.no_range else int(asked.removeprefix("bytes=").rstrip("-"))
        part = data[first:]
        self.send_response(206 if first else 200)
        self.send_header("Content-Type", fault.content_type)
        self.send_header("Content-Length", fault.length or str(len(part)))
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if fault.cut_after is not None or fault.length is not None:
            self.wfile.write(part[: fault.cut_after])
            self.close_connection = True
            return
        if fault.hold_after is not None:
            self.wfile.write(part[: fault.hold_after])
            self.wfile.flush()
            shop = self.server
            with shop.let_go:
                shop.holding += 1
                shop.let_go.notify_all()
                shop.let_go.wait_for(lambda: shop.released, 30)
            self.wfile.write(part[fault.hold_after :])
            return
        self.wfile.write(part)
