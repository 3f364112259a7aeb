from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest

from devices import client as client_module
from devices.addresses import Target, parse
from devices.agent import wire
from devices.client import AgentClient, AgentConfused, AgentRefused, AgentUnauthorized, AgentUnreachable
from devices.testing import Answer, FakeAgent, problem

SHA256 = "cd" * 32


@pytest.fixture
def agent() -> Iterator[FakeAgent]:
    with FakeAgent(uuid4(), ["right"]) as agent:
        yield agent


def dial(address: str, *tokens: str) -> AgentClient:
    parsed = parse(address)
    return AgentClient(Target(parsed, parsed.host), tokens)


@pytest.fixture
def client(agent: FakeAgent) -> Iterator[AgentClient]:
    with dial(agent.address, "right") as client:
        yield client


def test_state_is_read(agent: FakeAgent, client: AgentClient) -> None:
    state = client.state()
    assert (state.writer, state.journal_id, len(state.drives)) == (agent.writer, agent.journal_id, 2)


def test_image_is_announced_looked_at_and_dropped(client: AgentClient) -> None:
    with pytest.raises(AgentRefused) as refused:
        client.image(SHA256)
    assert (refused.value.status, refused.value.type) == (404, "not-found")
    order = wire.ImageOrder(layout=wire.Layout.ISO, size=2048, name="Nine songs")
    assert client.announce_image(SHA256, order).state == "ready"
    assert client.image(SHA256).state == "ready"
    client.drop_image(SHA256)
    with pytest.raises(AgentRefused):
        client.image(SHA256)


def test_write_is_given_read_and_cancelled(agent: FakeAgent, client: AgentClient) -> None:
    uuid = uuid4()
    assert client.write(uuid) is None
    client.announce_image(SHA256, wire.ImageOrder(layout=wire.Layout.ISO, size=2048, name="x"))
    order = wire.WriteOrder(image=SHA256, format="cd", discs=(wire.DiscOrder(serial="A1"),))
    client.journal = agent.journal_id
    assert client.put_write(uuid, order).state == "accepted"
    assert client.put_write(uuid, order).state == "accepted"
    client.cancel_write(uuid)
    written = client.write(uuid)
    assert written is not None
    assert written.state == "cancelled"
    client.journal = uuid4()
    with pytest.raises(AgentRefused) as refused:
        client.put_write(uuid4(), order)
    assert refused.value.type == "other-journal"


def test_refusal_carries_field_and_detail(agent: FakeAgent, client: AgentClient) -> None:
    agent.will_answer("PUT", problem(422, "invalid", "no\x00 drive", "format"))
    with pytest.raises(AgentRefused) as refused:
        client.announce_image(SHA256, wire.ImageOrder(layout=wire.Layout.ISO, size=1, name="x"))
    assert (refused.value.field, refused.value.detail) == ("format", "no  drive")


def test_wrong_token_is_told_apart(agent: FakeAgent) -> None:
    with dial(agent.address, "wrong") as client, pytest.raises(AgentUnauthorized):
        client.state()


def test_second_token_is_tried_and_then_kept(agent: FakeAgent) -> None:
    with dial(agent.address, "next", "right") as client:
        client.state()
        client.state()
        assert client.token_used == "right"
    assert len(agent.calls) == 3


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b"<html>Login</html>", "text/html"),
        Answer(200, b"{}", ""),
        Answer(200, b"not json"),
        Answer(200, b"[1, 2]"),
        Answer(200, b'{"protocol": "one"}'),
        Answer(200, b"\xff\xfe"),
        Answer(200, b"[" * 100_000),
        Answer(404, b"Not here", "text/plain"),
        Answer(301, b"", "text/html", {"Location": "http://127.0.0.1:1/"}),
        Answer(418, b"{}", "application/json"),
        Answer(422, b"no json", "application/problem+json"),
    ],
)
def test_what_is_not_our_protocol_confuses(agent: FakeAgent, client: AgentClient, answer: Answer) -> None:
    agent.will_answer("GET", answer)
    with pytest.raises(AgentConfused):
        client.state()
    assert client.state().writer == agent.writer  # and the connection is none the worse


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_failing_machine_is_unreachable(agent: FakeAgent, client: AgentClient, status: int) -> None:
    agent.will_answer("GET", Answer(status, b"oops", "text/plain"))
    with pytest.raises(AgentUnreachable, match=str(status)):
        client.state()


def test_endless_answer_is_cut_off(agent: FakeAgent, client: AgentClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "MAX_ANSWER", 1000)
    agent.will_answer("GET", Answer(200, b" " * 100_000))
    with pytest.raises(AgentConfused, match="1000 bytes"):
        client.state()


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A port where one connection is served by hand."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                serve(connection)

        thread = threading.Thread(target=accept)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_silent_machine_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "READ_SECONDS", 0.1)
    done = threading.Event()

    def wait(connection: socket.socket) -> None:
        done.wait(10)

    with listening(wait) as address:
        with dial(address, "right") as client, pytest.raises(AgentUnreachable, match="said nothing"):
            client.state()
        done.set()


def test_dripping_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "WHOLE_SECONDS", 0.1)
    given_up = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n")
        while not given_up.wait(0.02):
            connection.sendall(b" ")

    with listening(drip) as address:
        with dial(address, "right") as client, pytest.raises(AgentUnreachable, match="not whole"):
            client.state()
        given_up.set()


def test_half_an_answer_is_unreachable() -> None:
    half = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"
    with (
        listening(lambda connection: connection.sendall(half)) as address,
        dial(address, "right") as client,
        pytest.raises(AgentUnreachable),
    ):
        client.state()


def test_what_is_not_http_is_unreachable() -> None:
    with (
        listening(lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")) as address,
        dial(address, "right") as client,
        pytest.raises(AgentUnreachable),
    ):
        client.state()


def test_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with dial(f"http://127.0.0.1:{port}", "right") as client, pytest.raises(AgentUnreachable, match="refused"):
        client.state()


def test_checked_ip_is_dialled_and_the_name_is_sent(agent: FakeAgent) -> None:
    port = parse(agent.address).port
    seen: list[str] = []
    take = agent.take_call

    def note(method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        seen.append(headers["Host"])
        return take(method, path, headers, body)

    agent.take_call = note  # type: ignore[method-assign]  # to see a header that it does not keep
    with AgentClient(Target(parse(f"http://writer1.example:{port}"), "127.0.0.1"), ["right"]) as client:
        client.state()
    assert seen == [f"writer1.example:{port}"]


def test_proxies_of_the_environment_are_not_asked(
    agent: FakeAgent, client: AgentClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert client.state().writer == agent.writer
