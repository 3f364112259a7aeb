"""Shows the listed pages in Chromium, with the very headers they were answered with, and asks axe about them.

There is no server: what was rendered once is handed to the browser, so each page costs a fraction of a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from django.contrib.staticfiles import finders
from playwright.sync_api import Browser, Route
from playwright.sync_api import Page as Tab

from tests.gates.pages import Page

ORIGIN: Final = "http://127.0.0.1:9"  # nobody is there; browsers trust this machine as they trust TLS
TAGS: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
STANDIN_CSS: Final = Path(__file__).resolve().parents[2] / "storefront/standin/standin.css"
Scheme = Literal["light", "dark"]


@dataclass(frozen=True, slots=True)
class Stage:
    """One tab, in one width and one colour scheme."""

    tab: Tab

    def show(self, page: Page) -> Tab:
        self.tab.goto(f"{ORIGIN}/{page.name}")
        return self.tab

    def wider_than_the_screen(self) -> int:
        """CSS pixels that stick out sideways."""
        return int(self.tab.evaluate("document.scrollingElement.scrollWidth - innerWidth"))

    def violations(self) -> list[tuple[str, str]]:
        """What axe finds: the rule, and the element as axe names it, with why."""
        options = {"runOnly": {"type": "tag", "values": list(TAGS)}, "resultTypes": ["violations"]}
        found: dict[str, Any] = Axe().run(self.tab, options=options).response
        return [
            (rule["id"], f"{node['target'][0]}  {node['html'][:200]}  {node['failureSummary']}")
            for rule in found["violations"]
            for node in rule["nodes"]
        ]


@contextmanager
def stage(browser: Browser, pages: dict[str, Page], width: int, scheme: Scheme = "light") -> Iterator[Stage]:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    context.route("**/*", answering(pages))
    yield Stage(context.new_page())
    context.close()


def answering(pages: dict[str, Page]) -> Callable[[Route], None]:
    def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path.startswith("/static/"):
            found = finders.find(path.removeprefix("/static/"))
            route.fulfill(path=str(found)) if found else route.fulfill(status=404)
        elif path == "/standin.css":
            route.fulfill(path=STANDIN_CSS)
        elif path == "/admin/jsi18n/":
            route.fulfill(content_type="text/javascript", body=pages["admin-jsi18n"].document)
        elif page := pages.get(path.removeprefix("/")):
            route.fulfill(headers=page.answer.headers | {"Content-Type": "text/html"}, body=page.document)
        else:  # htmx asks whether something is new
            route.fulfill(status=204)

    return answer
