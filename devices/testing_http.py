"""HTTP for the fake agent of `testing.py`: turns its answers into responses. Knows nothing of drives or writes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from devices.agent import wire


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


def problem(
    status: int, type_: str, detail: str = "", field_: str | None = None, agent: wire.About | None = None
) -> Answer:
    said = agent.model_dump(mode="json") if agent else None
    body = {"type": type_, "title": type_, "detail": detail or type_, "field": field_, "agent": said}
    return Answer(status, json.dumps(body).encode(), "application/problem+json")


def as_json(status: int, message: Any) -> Answer:
    return Answer(status, message.model_dump_json().encode())


class Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a caller that hangs up is no fault
            super().handle_error(request, client_address)


def handler(take_call: Callable[..., Answer]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10
        wbufsize = -1  # headers and body in one packet: in two, the second waits 40 ms for the first one's ACK

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = take_call(self.command, self.path, self.headers, body)
            self.send_response(answer.status)
            if answer.status != 204:
                self.send_header("Content-Type", answer.content_type)
                self.send_header("Content-Length", str(len(answer.body)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815  (the names http.server calls)

        def log_message(self, format: str, *args: Any) -> None:
            """Tests read `calls` instead."""

    return Handler
