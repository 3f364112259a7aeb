"""Who gets in, and how the agent says no."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from devices.agent.door import Door
from devices.agent.tokens import Tokens
from devices.agent.wire import DriveVerb
from tests.devices.agent.plant import AgentProcess, digest_of

SOME = "0e7e2f6a-93d1-4a51-8f0e-0d5c7b3e4a11"
CALLS = [
    ("GET", "/v1/state"),
    ("PUT", f"/v1/images/{'0' * 64}"),
    ("GET", f"/v1/images/{'0' * 64}"),
    ("DELETE", f"/v1/images/{'0' * 64}"),
    ("GET", f"/v1/images/{'0' * 64}/content"),
    ("PUT", f"/v1/writes/{SOME}"),
    ("GET", f"/v1/writes/{SOME}"),
    ("DELETE", f"/v1/writes/{SOME}"),
    ("PUT", f"/v1/reads/{SOME}"),
    ("GET", f"/v1/reads/{SOME}"),
    ("DELETE", f"/v1/reads/{SOME}"),
    *(("POST", f"/v1/drives/d1/{verb}") for verb in DriveVerb),
    ("GET", "/v1/nothing"),
]


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentProcess]:
    made = AgentProcess(tmp_path_factory.mktemp("door"))
    try:
        yield made.start()
    finally:
        made.clean_up()


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer ", "Bearer wrong", "Basic dTpw", "Bearer \xe9", "x" * 5000])
@pytest.mark.parametrize(("method", "path"), CALLS)
def test_without_the_command_token_everything_is_401(agent: AgentProcess, method: str, path: str, given: str) -> None:
    answer = agent.call(method, path, headers={"Authorization": given})
    assert (answer.status, answer.json["type"]) == (401, "unauthorized")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"


def test_the_openapi_page_lists_every_call_with_its_answers(agent: AgentProcess) -> None:
    page = agent.call("GET", "/v1/openapi.json", token="none").json
    assert {(method.upper(), path) for path, calls in page["paths"].items() for method in calls} == {
        ("GET", "/v1/state"),
        ("PUT", "/v1/images/{sha256}"),
        ("GET", "/v1/images/{sha256}"),
        ("DELETE", "/v1/images/{sha256}"),
        ("GET", "/v1/images/{sha256}/content"),
        ("PUT", "/v1/writes/{uuid}"),
        ("GET", "/v1/writes/{uuid}"),
        ("DELETE", "/v1/writes/{uuid}"),
        ("PUT", "/v1/reads/{uuid}"),
        ("GET", "/v1/reads/{uuid}"),
        ("DELETE", "/v1/reads/{uuid}"),
        *(("POST", f"/v1/drives/{{drive}}/{verb}") for verb in DriveVerb),
    }
    assert {"200", "201", "401", "409", "422", "507"} <= set(page["paths"]["/v1/writes/{uuid}"]["put"]["responses"])
    assert page["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/nothing", None, 404),
        ("GET", "/", None, 404),
        ("POST", "/v1/state", b"{}", 405),
        ("GET", "/v1/writes/not-a-uuid", None, 422),
        ("DELETE", "/v1/writes/not-a-uuid", None, 422),
        ("PUT", "/v1/writes/not-a-uuid", b"{}", 422),
        ("GET", "/v1/images/../../etc/passwd", None, 404),
        ("GET", "/v1/images/%2e%2e%2fjournal.sqlite3", None, 404),
        ("DELETE", "/v1/images/ABC", None, 422),
        ("PUT", f"/v1/writes/{SOME}", b"", 422),
        ("PUT", f"/v1/writes/{SOME}", b"not json", 422),
        ("PUT", f"/v1/writes/{SOME}", b"\xff\xfe", 422),
        ("PUT", f"/v1/writes/{SOME}", b"[" * 200_000, 422),
        ("PUT", f"/v1/writes/{SOME}", b"1" * 5000, 422),
        ("PUT", f"/v1/writes/{SOME}", b'{"a": NaN}', 422),
        ("PUT", f"/v1/writes/{SOME}", b" " * ((1 << 20) + 1), 413),
    ],
)
def test_what_is_malformed_gets_a_problem_and_never_a_500(
    agent: AgentProcess, method: str, path: str, body: bytes | None, status: int
) -> None:
    answer = agent.call(method, path, body)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    assert set(answer.json) == {"type", "title", "detail", "field"}


def test_a_body_in_pieces_has_the_same_bound(agent: AgentProcess) -> None:
    connection = HTTPConnection("127.0.0.1", agent.port, timeout=20)
    try:
        pieces = iter([b" " * 65536] * 20)
        headers = {"Authorization": f"Bearer {agent.command}", "Content-Type": "application/json"}
        connection.request("PUT", f"/v1/writes/{SOME}", pieces, headers, encode_chunked=True)
        assert connection.getresponse().status == 413
    finally:
        connection.close()


def test_the_state_does_not_change_by_being_asked(agent: AgentProcess) -> None:
    first, second = agent.state(), agent.state()
    assert first.pop("time") <= second.pop("time")
    assert (first.pop("disk")["capacity"] > 0, second.pop("disk")["capacity"] > 0) == (True, True)
    assert first == second


class Listener:
    """An app that notes what reaches it."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.bodies.append((await receive())["body"])


def call_door(tmp_path: Path, *messages: Message) -> tuple[list[bytes], list[Message]]:
    app, sent = Listener(), list[Message]()
    tokens = Tokens(tmp_path / "tokens.json", None, (digest_of(b"token"),))
    left = iter(messages)

    async def receive() -> Message:
        return next(left)

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"authorization", b"Bearer token"), (b"content-length", b"18")]
    scope = {"type": "http", "path": "/v1/drives/d1/taken-out", "headers": headers}
    asyncio.run(Door(app, tokens, None)(scope, receive, send))
    return app.bodies, sent


@pytest.mark.parametrize("came", [(), ({"type": "http.request", "body": b'{"serial"', "more_body": True},)])
def test_a_call_that_breaks_off_before_its_body_is_whole_is_no_word_without_a_serial(
    tmp_path: Path, came: tuple[Message, ...]
) -> None:
    assert call_door(tmp_path, *came, {"type": "http.disconnect"}) == ([], [])


def test_a_body_in_pieces_reaches_the_routes_whole(tmp_path: Path) -> None:
    pieces = [
        {"type": "http.request", "body": b'{"serial": ', "more_body": True},
        {"type": "http.request", "body": b'"AAA"}', "more_body": False},
    ]
    assert call_door(tmp_path, *pieces)[0] == [b'{"serial": "AAA"}']
