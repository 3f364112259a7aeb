"""`spindle-agent enrol`: makes this agent a writer of a server, with a code that the server shows.

Keeps what the server answers in the state folder, where a running agent finds it. A code is good once, so what can be
wrong here is found before it is spent. Must never touch a drive, nor say a token.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import ssl
from dataclasses import dataclass
from http.client import HTTPException
from typing import Final
from urllib.parse import urlsplit

from pydantic import ValidationError

from devices.agent.config import Config
from devices.agent.identity import Enrolment, check_place, keep_enrolment, read_enrolment
from devices.agent.link import REDIRECTS, Answer, RedirectError, post_json
from devices.agent.wire import EnrolAnswer, EnrolOrder

PATH: Final = "/api/v1/writers/enrol"
TIMEOUT: Final = 20.0
NEW_CODE: Final = "get a new code on the server's page, and use it within 15 minutes"
REMEDIES: Final = {"code": NEW_CODE, "address": "give --address", "name": "give --name"}


class EnrolError(Exception):
    """It didn't work; the text is one line, with the remedy."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What was typed behind `enrol`."""

    server: str
    code: str
    address: str | None = None
    name: str | None = None
    again: bool = False


def enrol(config: Config, wish: Wish) -> str:
    """Gives what to tell the operator. Raises EnrolError, ConfigError."""
    server = _server(wish.server)
    _check_config(config, server)
    known = read_enrolment(config.state) if not wish.again else None
    if known is not None:
        raise EnrolError(f"already enrolled at {known.server} as writer {known.writer}; to enrol anew, add --again")
    order = _order(config, server, wish)
    try:
        check_place(config.state)
    except OSError as fault:
        raise EnrolError(
            f"{config.state}: can't be written ({fault.strerror}); run this as the agent's user"
        ) from fault
    answer = _understood(_ask(server, order), server)
    fresh = Enrolment(
        server=server,
        writer=answer.writer,
        report_token=answer.report_token,
        command_token_sha256=answer.command_token_sha256,
    )
    try:
        keep_enrolment(config.state, fresh)
    except OSError as fault:
        raise EnrolError(
            f"{config.state}: the enrolment can't be kept ({fault}); remove writer {answer.writer} at the server, "
            f"then {NEW_CODE}"
        ) from fault
    return (
        f"enrolled at {server} as writer {answer.writer}; it will be called at {order.address}. "
        "An agent that runs goes on as that writer by itself, once its discs under way are finished."
    )


def _server(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise EnrolError(f"--server: {url!r} is not an address such as https://shop.example")
    return url.rstrip("/")


def _check_config(config: Config, server: str) -> None:
    said = [
        ("[writer] id", config.writer is not None),
        ("[server] token", config.server is not None and config.server.token is not None),
        ("[accept] tokens_sha256", bool(config.tokens_sha256)),
    ]
    there = " and ".join(key for key, is_there in said if is_there)
    if there:
        raise EnrolError(f"agent.toml says {there}, which wins over an enrolment: take it out first")
    if config.server is not None and config.server.url != server:
        raise EnrolError(f"agent.toml says [server] url = {config.server.url!r}: give that one, or take it out")


def _order(config: Config, server: str, wish: Wish) -> EnrolOrder:
    try:
        return EnrolOrder(
            code=wish.code.strip(),
            name=wish.name if wish.name is not None else config.name,
            address=wish.address if wish.address is not None else own_address(config, server),
            kind=config.driver,
        )
    except ValidationError as fault:
        error = fault.errors()[0]
        field = str(error["loc"][0])
        raise EnrolError(f"{field}: {error['msg']}; {REMEDIES.get(field, 'change it in agent.toml')}") from fault


def own_address(config: Config, server: str) -> str:
    """Where the server is to call this agent: by the way that leads from here to the server. Raises EnrolError."""
    if config.port == 0:
        raise EnrolError('[writer] listen has port 0, which is another one at each start: say listen = "0.0.0.0:9101"')
    here, there = _way(server)
    try:
        listens = ipaddress.ip_address(config.host)
    except ValueError:
        return f"http://{config.host}:{config.port}"
    if listens.is_loopback and here != there and not ipaddress.ip_address(there).is_loopback:
        raise EnrolError(
            f"[writer] listen is {config.host}, where the server can't call it: "
            f'say listen = "0.0.0.0:{config.port}", or give --address'
        )
    host = here if listens.is_unspecified else config.host
    return f"http://[{host}]:{config.port}" if ":" in host else f"http://{host}:{config.port}"


def _way(server: str) -> tuple[str, str]:
    """The addresses at both ends of a way from here to the server. Nothing is sent for it."""
    parts = urlsplit(server)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.connect(address)
            return str(probe.getsockname()[0]), str(probe.getpeername()[0])
    except OSError as fault:
        raise EnrolError(
            f"--server: {parts.hostname} can't be reached ({fault.strerror}); check name and network"
        ) from fault


def _ask(server: str, order: EnrolOrder) -> Answer:
    try:
        return post_json(server + PATH, None, order.model_dump_json().encode(), TIMEOUT)
    except ssl.SSLCertVerificationError as fault:
        raise EnrolError(
            f"the certificate of {server} is not trusted here ({fault.verify_message}): "
            "add its authority to this machine's, or name it in SSL_CERT_FILE"
        ) from fault
    except ssl.SSLError as fault:
        raise EnrolError(
            f"{server} doesn't speak TLS as it should ({fault.reason}): is it http, or another port?"
        ) from fault
    except TimeoutError as fault:
        raise EnrolError(
            f"{server} did not answer in time: look there whether this writer was enrolled, else {NEW_CODE}"
        ) from fault
    except (OSError, HTTPException, RedirectError) as fault:
        raise EnrolError(f"{server} can't be reached ({fault}): check the address, and that the server runs") from fault


def _understood(answer: Answer, server: str) -> EnrolAnswer:
    if answer.status in (200, 201):
        try:
            return EnrolAnswer.model_validate_json(answer.body)
        except ValidationError as fault:
            raise EnrolError(
                f"{server} answered something else: is it the shop's address, and of one release?"
            ) from fault
    raise EnrolError(_refusal(answer, server))


def _refusal(answer: Answer, server: str) -> str:
    status = answer.status
    if status in REDIRECTS:
        return f"{server} sends us on to {answer.location}: give that address with --server"
    if status >= 500:
        return f"{server} is not well ({status}): try again in a while"
    try:
        problem = json.loads(answer.body)
        detail, field = str(problem["detail"]).strip().rstrip("."), problem.get("field")
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{server} takes no enrolments ({status}): is it the shop's address?"
    remedy = REMEDIES.get(str(field), f"check what you typed, or {NEW_CODE}")
    return f"{server} refuses ({status}): {detail}; {remedy}"
