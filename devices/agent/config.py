"""What agent.toml says, read once into frozen values.

Every fault names the key and the remedy; nothing is guessed. Must never touch a drive or the network.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, get_args
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StringConstraints, ValidationError

from devices.agent.wire import FORMAT_OF, Feed, Role, Sha256, Speed

STDIO: Final = "stdio:"
SERIAL: Final = "{serial}"
MOST_BLANKS: Final = 1_000_000  # the server takes a report of more for nonsense, all of it
# In [driver.options] a text that begins so is a path relative to agent.toml; drivers get it absolute.
RELATIVE: Final = ("./", "../", ".\\", "..\\")

Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]
DriveId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$")]


class ConfigError(Exception):
    """agent.toml can't be used as it is; the text names the key and the remedy."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WriterSection(Section):
    id: UUID | None = None  # absent: what enrolment gave
    name: Text
    listen: Text = "127.0.0.1:9101"
    state: Text = "state"
    disk_limit: Annotated[StrictInt, Field(gt=0)] | None = None
    advertise: StrictBool = True


class ServerSection(Section):
    url: Text
    token: Text | None = None
    token_file: Text | None = None


class AcceptSection(Section):
    tokens_sha256: tuple[Sha256, ...] = ()


class DriveSection(Section):
    id: DriveId
    role: Role = Role.COPIER
    feed: Feed = Feed.ROBOT
    device: Text
    kinds: tuple[str, ...] = ()
    speed: Speed | None = None
    blanks: Annotated[StrictInt, Field(ge=0, le=MOST_BLANKS)] | None = None


class DriverSection(Section):
    name: Text
    options: dict[str, Any] = {}  # what the driver itself makes of it
    drives: Annotated[tuple[DriveSection, ...], Field(min_length=1)]


class ConfigFile(Section):
    writer: WriterSection
    server: ServerSection | None = None
    accept: AcceptSection = AcceptSection()
    driver: DriverSection


@dataclass(frozen=True, slots=True)
class Drive:
    """One drive as configured. `device` is absolute; `blanks` null where nobody counts them."""

    id: str
    role: Role
    feed: Feed
    device: str
    kinds: tuple[str, ...]
    speed: str | None
    blanks: int | None

    @property
    def formats(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(FORMAT_OF[kind] for kind in self.kinds))

    def kind_of(self, format_: str) -> str:
        """The drive's first kind of a format it takes."""
        return next(kind for kind in self.kinds if FORMAT_OF[kind] == format_)


@dataclass(frozen=True, slots=True)
class Server:
    """`token` absent: what enrolment gave."""

    url: str
    token: str | None


@dataclass(frozen=True, slots=True)
class Config:
    """`writer` absent: what enrolment gave, if there was one (see `identity.py`)."""

    writer: UUID | None
    name: str
    host: str
    port: int
    state: Path
    disk_limit: int | None
    advertise: bool
    server: Server | None
    tokens_sha256: tuple[str, ...]
    driver: str
    options: Mapping[str, Any]
    drives: tuple[Drive, ...]


def read_config(path: Path) -> Config:
    """Read and check agent.toml. Raises ConfigError."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise ConfigError(f"{path}: can't be read ({fault.strerror}). Give its path with --config.") from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise ConfigError(f"{path}: is not TOML: {fault}") from fault
    try:
        return _resolve(read_section(ConfigFile, raw), path.resolve().parent)
    except ConfigError as fault:
        raise ConfigError(f"{path}: {fault}") from fault


Read = TypeVar("Read", bound=Section)


def read_section(model: type[Read], raw: Mapping[str, Any], where: str = "") -> Read:
    """`raw` as a `model`. Raises ConfigError that names each wrong key, behind `where`."""
    try:
        return model.model_validate(raw)
    except ValidationError as fault:
        raise ConfigError("; ".join(_fault(model, error, where) for error in fault.errors())) from fault


def _fault(model: type[Section], error: Any, where: str) -> str:
    loc = error["loc"]
    key = (where + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)).lstrip(".")
    if error["type"] == "extra_forbidden":
        section = _section(model, loc[:-1])
        return f"{key}: unknown key; known here: {', '.join(section.model_fields)}"
    if error["type"] == "missing":
        return f"{key}: is missing; add it"
    if error["type"] == "string_pattern_mismatch":
        return f"{key}: {error['input']!r} is not of the form {error['ctx']['pattern']}"
    return f"{key}: {error['msg']}"


def _section(model: type[BaseModel], loc: tuple[str | int, ...]) -> type[BaseModel]:
    """The section in which `loc` lies."""
    for part in loc:
        field = model.model_fields.get(str(part))
        model = next(_models_in(field.annotation), model) if field is not None else model
    return model


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


def _resolve(parsed: ConfigFile, folder: Path) -> Config:
    host, port = _listen(parsed.writer.listen)
    drives = tuple(_drive(index, drive, folder) for index, drive in enumerate(parsed.driver.drives))
    _check_together(drives)
    return Config(
        writer=parsed.writer.id,
        name=parsed.writer.name,
        host=host,
        port=port,
        state=folder / parsed.writer.state,
        disk_limit=parsed.writer.disk_limit,
        advertise=parsed.writer.advertise,
        server=_server(parsed.server, folder) if parsed.server else None,
        tokens_sha256=parsed.accept.tokens_sha256,
        driver=parsed.driver.name,
        options=_located(parsed.driver.options, folder),
        drives=drives,
    )


def _listen(value: str) -> tuple[str, int]:
    host, colon, port = value.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"writer.listen: {value!r} is not host:port, such as 127.0.0.1:9101 or [::1]:9101")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _server(section: ServerSection, folder: Path) -> Server:
    try:
        parts = urlsplit(section.url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(f"server.url: {section.url!r} is not an address such as https://shop.example")
    if section.token is not None and section.token_file is not None:
        raise ConfigError("server.token: give either token or token_file (the report token)")
    token = section.token
    if section.token_file is not None:
        file = folder / section.token_file
        try:
            token = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as fault:
            raise ConfigError(f"server.token_file: {file} can't be read: {fault}") from fault
    if token is not None and (not token.isascii() or not token.isprintable() or " " in token or not token):
        raise ConfigError("server.token: has to be one line of visible ASCII characters")
    return Server(url=section.url.rstrip("/"), token=token)


def _located(value: Any, folder: Path) -> Any:
    """The options with their relative paths made absolute."""
    if isinstance(value, dict):
        return {key: _located(inner, folder) for key, inner in value.items()}
    if isinstance(value, list):
        return [_located(inner, folder) for inner in value]
    return str(folder / value) if isinstance(value, str) and value.startswith(RELATIVE) else value


def _check_together(drives: tuple[Drive, ...]) -> None:
    """What no drive shows alone. Raises ConfigError."""
    ids: set[str] = set()
    devices: dict[str, str] = {}
    for index, drive in enumerate(drives):
        key = f"driver.drives[{index}]"
        if drive.id in ids:
            raise ConfigError(f"{key}.id: {drive.id!r} is there twice; each drive needs its own")
        ids.add(drive.id)
        # Files named by serial are as many discs as there are serials: drives may share such a folder.
        if SERIAL not in drive.device and drive.device in devices:
            raise ConfigError(
                f"{key}.device: {drive.device!r} is drive {devices[drive.device]}'s already; a device is one drive"
            )
        devices[drive.device] = drive.id


def _drive(index: int, section: DriveSection, folder: Path) -> Drive:
    key = f"driver.drives[{index}]"
    for kind in section.kinds:
        if kind not in FORMAT_OF:
            raise ConfigError(f"{key}.kinds: {kind!r} is not a kind; known: {', '.join(FORMAT_OF)}")
    if section.role is Role.SOURCE:
        _check_source(key, section)
    elif not section.kinds:
        raise ConfigError(f'{key}.kinds: say which discs it writes, such as ["CD-R", "DVD-R"]')
    device = section.device
    if device.startswith(STDIO):
        target = device.removeprefix(STDIO)
        if not target:
            raise ConfigError(f"{key}.device: a path is missing after stdio:")
        device = STDIO + str(folder / target)
    return Drive(
        id=section.id,
        role=section.role,
        feed=section.feed,
        device=device,
        kinds=section.kinds,
        speed=section.speed,
        blanks=section.blanks,
    )


def _check_source(key: str, section: DriveSection) -> None:
    """A source drive reads: nothing about writing belongs to it. Raises ConfigError."""
    for name in ("speed", "blanks"):
        if getattr(section, name) is not None:
            raise ConfigError(f"{key}.{name}: a source drive writes nothing; take {name} out")
    if SERIAL in section.device:
        raise ConfigError(f"{key}.device: {SERIAL} stands for discs to write; name the one file that is to be read")
