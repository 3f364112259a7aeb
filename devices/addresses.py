"""Which addresses of agents may be dialled.

An operator types them and names resolve to anything, so: one strict grammar, one resolution, every
resolved address checked, and the checked address is the one that is dialled. Must never dial itself.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

IPAddress = IPv4Address | IPv6Address
Resolve = Callable[[str, int], list[str]]

# No user, path, query or fragment: whatever is not in this grammar can't mean two things.
_GRAMMAR: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?/?",
    re.ASCII | re.IGNORECASE,
)
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
# Beside link-local, multicast and unspecified ones: what clouds answer instances' secrets at, and no machine's own.
_NEVER: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "100.100.100.200/32",  # Alibaba
        "168.63.129.16/32",  # Azure
        "192.0.0.192/32",  # Oracle
        "fd00:ec2::254/128",  # Amazon; its IPv4 one, as most others', is link-local
        "0.0.0.0/8",
        "240.0.0.0/4",  # reserved, and broadcast
        "fec0::/10",  # site-local, deprecated
    )
)
_NAT64: Final = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE: Final = range(1 << 24, 1 << 32)  # ::a.b.c.d, deprecated; below it lie :: and ::1


class AddressRefused(ValueError):
    """The address of an agent can't be dialled; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Address:
    scheme: str
    host: str  # lower case; an IPv6 address without brackets
    port: int

    @property
    def netloc(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Target:
    """An address with the one IP that was checked, and that alone may be connected to."""

    address: Address
    ip: str


def parse(text: str) -> Address:
    """`http://host:port` or `https://host:port`, nothing more. Raises AddressRefused."""
    match = _GRAMMAR.fullmatch(text)
    if match is None:
        raise AddressRefused(
            f"{text!r} is not an agent's address. Write http://host:port or https://host:port, nothing more."
        )
    scheme = match["scheme"].lower()
    port = int(match["port"] or (443 if scheme == "https" else 80))
    if not 1 <= port <= 65535:
        raise AddressRefused(f"{port} is not a port. Use one from 1 to 65535.")
    return Address(scheme, _host(match["host"].lower()), port)


def pin(text: str, networks: Iterable[str], resolve: Resolve | None = None) -> Target:
    """Resolves the address once and checks every answer. Raises AddressRefused.

    networks: those the operator allowed (SPINDLE_AGENT_NETWORKS), as CIDR.
    """
    address = parse(text)
    allowed = [ipaddress.ip_network(network) for network in networks]
    literal = _literal(address.host)
    found = [literal] if literal else _resolved(address, resolve or resolve_by_system)
    for ip in found:
        _check(ip, allowed)
    return Target(address, str(_plain(found[0])))


def resolve_by_system(host: str, port: int) -> list[str]:
    """The IP addresses of a host name. Raises OSError."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(answer[4][0]) for answer in answers]


def _host(host: str) -> str:
    if host.startswith("["):
        literal = _literal(host[1:-1])
        if not isinstance(literal, IPv6Address):
            raise AddressRefused(f"{host} is not an IPv6 address.")
        return str(literal)
    if _literal(host):
        return host
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressRefused(f"{host!r} is not a host name.")
    # 2130706433, 0177.1 and 0x7f.1 are 127.0.0.1 to some resolvers and names to others.
    if labels[-1].isdigit() or re.fullmatch(r"0x[0-9a-f]*", labels[-1]):
        raise AddressRefused(f"{host!r} is an IP address in disguise. Write it as four decimal numbers.")
    return host


def _literal(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _resolved(address: Address, resolve: Resolve) -> list[IPAddress]:
    try:
        answers = resolve(address.host, address.port)
    except (OSError, UnicodeError) as error:
        raise AddressRefused(f"The name {address.host} can't be resolved ({error}).") from error
    if not answers:
        raise AddressRefused(f"The name {address.host} has no address.")
    return [ipaddress.ip_address(answer) for answer in answers]


def _check(ip: IPAddress, allowed: Collection[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> None:
    reached = [_plain(ip), *_embedded(ip)]
    for each in (ip, *reached):
        if each.is_link_local or each.is_multicast or each.is_unspecified or any(each in never for never in _NEVER):
            raise AddressRefused(
                f"{ip} is never dialled: it is a link-local, multicast, metadata or unspecified address."
            )
    for each in reached:
        if not any(each in network for network in allowed):
            raise AddressRefused(f"{each} is outside the networks of SPINDLE_AGENT_NETWORKS. Add its network there.")


def _plain(ip: IPAddress) -> IPAddress:
    """An IPv4 address in IPv6 clothes (::ffff:127.0.0.1) is what it means."""
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return mapped or ip


def _embedded(ip: IPAddress) -> list[IPv4Address]:
    """IPv4 addresses that a gateway would send this IPv6 address's packets to."""
    if isinstance(ip, IPv4Address):
        return []
    found = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
    if any(ip in network for network in _NAT64) or int(ip) in _COMPATIBLE:
        found.append(IPv4Address(int(ip) & 0xFFFFFFFF))
    return [each for each in found if each is not None]
