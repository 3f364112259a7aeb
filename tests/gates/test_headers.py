"""What every answer says to browsers and caches: on all pages of the list, and under production settings."""

from __future__ import annotations

import json
import subprocess
import sys
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from tests.gates.pages import Page
from tests.gates.production import ROOT, production
from tests.scene import make_title, running_plant
from tests.storefront.shopping import put

SHOP = {"shop", "admin"}
POLICY = ("default-src 'self'", "base-uri 'none'", "object-src 'none'", "frame-ancestors 'none'")


def test_every_page_says_how_it_may_be_used(pages: dict[str, Page]) -> None:
    ours = [page for page in pages.values() if page.group in SHOP and page.answer.route]
    assert len(ours) > 50
    for page in ours:
        headers = page.answer.headers
        policy = headers["Content-Security-Policy"]
        assert all(part in policy for part in POLICY), (page.name, policy)
        assert "unsafe" not in policy, page.name
        assert headers["X-Content-Type-Options"] == "nosniff", page.name
        assert headers.get("X-Frame-Options") == "DENY", page.name
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin", page.name
        assert headers["Referrer-Policy"] in {"same-origin", "no-referrer"}, page.name


def test_no_cache_between_us_and_the_visitor_keeps_a_page(pages: dict[str, Page]) -> None:
    public = [
        page.name
        for page in pages.values()
        if page.group in SHOP and page.answer.route and "private" not in page.answer.headers.get("Cache-Control", "")
    ]
    assert public == []


@pytest.mark.django_db
def test_cookies_are_for_the_server_alone() -> None:
    client = Client()
    with running_plant():
        put(client, make_title())
        client.get("/cart/")
    assert set(client.cookies) == {"sessionid", "csrftoken"}
    for morsel in client.cookies.values():
        assert (morsel["httponly"], morsel["samesite"], morsel["path"], morsel["domain"]) == (True, "Lax", "/", "")


@pytest.mark.django_db
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "127.0.0.1:x"])
def test_a_host_that_is_not_ours_is_400(host: str) -> None:
    client = Client(raise_request_exception=False)
    for url in ("/", "/admin/login/", "/cart/"):
        assert client.get(url, SERVER_NAME="127.0.0.1", HTTP_HOST=host).status_code == 400


def test_a_forwarded_host_is_not_believed() -> None:
    assert not settings.USE_X_FORWARDED_HOST
    assert not settings.USE_X_FORWARDED_PORT


LOOK = """
import json, django
from pathlib import Path
django.setup()
from django.conf import settings
from django.core.management import call_command
from django.test import Client
settings.STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
call_command("migrate", verbosity=0)
client = Client(raise_request_exception=False)
over = {"HTTP_HOST": "shop.example", "HTTP_X_FORWARDED_PROTO": "https"}
plain = client.get("/", HTTP_HOST="shop.example")
page = client.get("/admin/login/", **over)
denied = client.get("/", HTTP_HOST="evil.example", HTTP_X_FORWARDED_PROTO="https")
print(json.dumps({
    "plain": [plain.status_code, plain["Location"]],
    "page": [page.status_code, dict(page.headers)],
    "cookies": [morsel.OutputString() for morsel in page.cookies.values()],
    "session": settings.SESSION_COOKIE_NAME,
    "denied": denied.status_code,
}))
"""


def test_production_speaks_tls_alone_and_names_its_cookies_for_this_host(tmp_path: Path) -> None:
    environment = production(tmp_path, DATABASE_URL="") | {"DJANGO_SETTINGS_MODULE": "storefront.settings"}
    done = subprocess.run([sys.executable, "-c", LOOK], cwd=ROOT, env=environment, capture_output=True, check=True)
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["plain"] == [301, "https://shop.example/"]
    status, headers = seen["page"]
    assert status == 200
    assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"
    assert "form-action 'self' https://checkout.stripe.com" in headers["Content-Security-Policy"]
    assert seen["session"] == "__Host-session"
    cookies = SimpleCookie("; ".join(seen["cookies"]))
    assert set(cookies) == {"__Host-csrf"}
    for text in seen["cookies"]:
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(text.split("; "))
        assert "Domain" not in text
    assert seen["denied"] == 400
