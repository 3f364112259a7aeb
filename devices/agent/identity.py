"""Who this agent is: which writer, of which server, with which tokens; from agent.toml, or from its enrolment.

What agent.toml says wins. Keeps what enrolment gave; must never log a token.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from devices.agent import private
from devices.agent.config import Config, ConfigError
from devices.agent.wire import About, Role, Sha256

FILE: Final = "enrolment.json"
DISKS: Final = 1  # images lie in one state folder, and so on one disk


class Enrolment(BaseModel):
    """What the server gave when this agent enrolled."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    server: str
    writer: UUID
    report_token: str
    command_token_sha256: Sha256


@dataclass(frozen=True, slots=True)
class Identity:
    """`writer` absent: it is enrolled nowhere, and does nothing. `url` absent: nothing is reported."""

    writer: UUID | None = None
    url: str | None = None
    report_token: str = ""
    tokens_sha256: tuple[str, ...] = ()


def identity_of(config: Config, enrolment: Enrolment | None) -> Identity:
    """Raises ConfigError."""
    server, writer = config.server, config.writer
    if writer is None and enrolment is None:
        if config.tokens_sha256 or (server is not None and server.token is not None):
            raise ConfigError(
                "writer.id: is missing; add it, or remove [server] token and [accept], and enrol this agent"
            )
        return Identity()
    if enrolment is not None and writer not in (None, enrolment.writer):
        enrolment = None  # its tokens are another writer's
    token = server.token if server is not None else None
    if token is None and enrolment is not None:
        token = enrolment.report_token
    url = server.url if server is not None else enrolment.server if enrolment is not None else None
    if url is not None and token is None:
        raise ConfigError("server.token: give either token or token_file (the report token)")
    return Identity(
        writer=writer or (enrolment.writer if enrolment is not None else None),
        url=url,
        report_token=token or "",
        tokens_sha256=config.tokens_sha256 or ((enrolment.command_token_sha256,) if enrolment is not None else ()),
    )


def about(config: Config, identity: Identity) -> About:
    """What this agent tells anybody who asks."""
    roles = Counter(drive.role for drive in config.drives)
    return About(
        writer=identity.writer,
        name=config.name,
        kind=config.driver[:64],
        disks=DISKS,
        sources=roles[Role.SOURCE],
        copiers=roles[Role.COPIER],
    )


# -- the file ----------------------------------------------------------------------------------------------------------


def read_enrolment(state: Path) -> Enrolment | None:
    """None: it never enrolled. Raises ConfigError where the file can't be used."""
    file = state / FILE
    try:
        return Enrolment.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as fault:
        raise ConfigError(f"{file}: is damaged; enrol this agent anew, with --again") from fault
    except OSError as fault:
        raise ConfigError(
            f"{file}: can't be read ({fault.strerror}); it has to belong to the user whom the agent runs as"
        ) from fault


def keep_enrolment(state: Path, enrolment: Enrolment) -> None:
    """Raises OSError."""
    private.write(state / FILE, enrolment.model_dump_json())


def check_place(state: Path) -> None:
    """Can an enrolment be kept here? Asked before the code is spent. Raises OSError."""
    private.make_folder(state)
    trial = state / "enrolment.try"
    private.write(trial, "")
    trial.unlink()
