"""What every page may know of the shop."""

from __future__ import annotations

from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from storefront.cart import Cart


def shop(request: HttpRequest) -> dict[str, Any]:
    session = getattr(request, "session", None)
    return {
        "shop_name": settings.SPINDLE_NAME,
        "contact": parseaddr(settings.DEFAULT_FROM_EMAIL)[1],
        "cart_copies": len(Cart(session)) if session is not None else 0,
    }
