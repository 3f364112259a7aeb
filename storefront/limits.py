"""How often a door may be used: counted in the database, so that it holds over processes and needs no Redis.

Refuses and says when to come back; decides nothing else. Keeps no address, only a keyed hash of it.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import math
from collections.abc import Callable, Iterator
from typing import Any, Final

from axes.helpers import get_cool_off
from django.conf import settings
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.crypto import salted_hmac

from storefront.models import Tally

Limit = tuple[int, int]  # how often, in how many seconds
# A request that came in the last moment of a span may find its row only in the next one: gone, it would be refused.
KEPT: Final = dt.timedelta(minutes=1)


def take(key: str, limit: Limit, now: dt.datetime) -> int:
    """Counts one use; 0, or the seconds until there is room again. Never counts beyond the limit, however many ask."""
    most, seconds = limit
    ends_at = dt.datetime.fromtimestamp((now.timestamp() // seconds + 1) * seconds, dt.UTC)
    tally = Tally.objects.filter(key=key, ends_at=ends_at)
    free = tally.filter(count__lt=most)
    if free.update(count=F("count") + 1):
        return 0
    _, made = tally.get_or_create(key=key, ends_at=ends_at, defaults={"count": 0})
    if made:
        Tally.objects.filter(ends_at__lt=now - KEPT).delete()
    if free.update(count=F("count") + 1):  # new, or made by somebody else meanwhile
        return 0
    return max(1, math.ceil((ends_at - now).total_seconds()))


def key(door: str, kind: str, who: str) -> str:
    return f"{door}:{kind}:{salted_hmac('storefront.limits', who, algorithm='sha256').hexdigest()[:32]}"


def address_of(request: HttpRequest) -> str | None:
    """The client's IP address; None over a unix socket. Axes asks here as well.

    Of X-Forwarded-For only what our own proxies appended is believed: the visitor writes the rest.
    """
    hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    remote = request.META.get("REMOTE_ADDR", "")
    proxies = settings.SPINDLE_PROXIES
    said = hops[-proxies] if 0 < proxies <= len(hops) else remote
    return _address(said) or _address(remote)


def crowd(address: str) -> str | None:
    """What counts as one visitor: an IPv4 address, or an IPv6 /64, which one household has. None: this machine."""
    ip = ipaddress.ip_address(address)
    if ip.is_loopback:
        return None
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


def strangers_wait(request: HttpRequest, now: dt.datetime) -> int:
    """Counts a call without a token that fits; the seconds until this address may try again, or 0."""
    who = crowd(address_of(request) or "127.0.0.1")
    return take(key("api", "stranger", who), settings.SPINDLE_STRANGER_LIMIT, now) if who else 0


class Doorkeeper:
    """Middleware: stops what comes too often or is too large before its view sees it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        name = request.resolver_match.view_name if request.resolver_match else ""
        if int(request.META.get("CONTENT_LENGTH") or 0) > settings.SPINDLE_BODIES.get(name, math.inf):
            return HttpResponse("This is too long.", status=413, content_type="text/plain")
        door = f"{'GET' if request.method == 'HEAD' else request.method} {name}"  # a HEAD costs what a GET costs
        now = timezone.now()
        waits = [take(key(door, kind, who), limit, now) for kind, who, limit in _limits(request, door)]
        return too_often(request, max(waits)) if any(waits) else None


def too_often(request: HttpRequest, seconds: int) -> HttpResponse:
    """The page that says when to try again."""
    context = {"minutes": math.ceil(seconds / 60), "again_at": timezone.now() + dt.timedelta(seconds=seconds)}
    response = render(request, "429.html", context, status=429)
    response["Retry-After"] = str(seconds)
    return response


def locked_out(request: HttpRequest, *unused: Any) -> HttpResponse:
    """Too many wrong passwords for one name; axes calls this, staff can end it in the admin."""
    cool_off = get_cool_off(request) or dt.timedelta(0)
    return too_often(request, math.ceil(cool_off.total_seconds()))


def _limits(request: HttpRequest, door: str) -> Iterator[tuple[str, str, Limit]]:
    limits = settings.SPINDLE_LIMITS.get(door, {})
    if "name" in limits and (username := request.POST.get("username", "")):
        yield "name", username.lower(), limits["name"]
    if "session" in limits and (session := request.session.session_key):
        yield "session", session, limits["session"]
    if "address" in limits and (address := address_of(request)) and (who := crowd(address)):
        yield "address", who, limits["address"]


def _address(text: str) -> str | None:
    try:
        ip = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    return str(getattr(ip, "ipv4_mapped", None) or ip)
