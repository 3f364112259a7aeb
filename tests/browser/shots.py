"""Pictures of every page at three widths, light and dark, to build/shots/: run by `make shots`, judged by people.

The demo shows its main path with real artwork and dates; the list of pages shows each error and each state.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import journey
from tests.browser.demo import PASSWORD, Demo
from tests.gates.conftest import pages
from tests.gates.pages import Page as ListedPage
from tests.gates.pages_browser import Scheme, stage

__all__ = ["pages"]

SHOTS = Path(__file__).resolve().parents[2] / "build" / "shots"

Shoot = Callable[[str], None]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1440])
def test_shoot(demo: Demo, browser: Browser, width: int, theme: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    scheme: Literal["dark", "light"] = "dark" if theme == "dark" else "light"
    page = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()

    def shoot(name: str) -> None:
        page.screenshot(path=SHOTS / f"{name}-{width}-{theme}.png", full_page=True)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width or name.startswith("admin"), f"{name} is {wide} px wide at {width}"

    shoot_shop(page, demo, shoot)
    shoot_checkout(page, demo, shoot)
    shoot_order(page, shoot)
    shoot_admin(page, demo, shoot)
    page.context.close()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1440])
def test_shoot_every_state(pages: dict[str, ListedPage], browser: Browser, width: int, scheme: Scheme) -> None:
    folder = SHOTS / "states"
    folder.mkdir(parents=True, exist_ok=True)
    with stage(browser, pages, width, scheme) as opened:
        for page in pages.values():
            if page.group in {"shop", "plant", "payer", "admin"}:
                path = folder / f"{page.name}-{width}-{scheme}.png"
                opened.show(page).screenshot(path=path, full_page=True)


def shoot_shop(page: Page, demo: Demo, shoot: Shoot) -> None:
    pages = {
        "front": "",
        "search": "?q=disc",
        "search-empty": "?q=nothing+like+it",
        "cart-empty": "cart/",
        "not-found": "nothing-here/",
        "title": "titles/P-1002/",
    }
    for name, address in pages.items():
        page.goto(f"{demo.url}/{address}")
        shoot(name)
    page.get_by_label("Copies").fill("0")
    page.locator("form[data-hx-get]").evaluate("form => form.noValidate = true")
    page.get_by_role("button", name="Put into the cart").click()
    shoot("title-error")
    journey.put_into_cart(page, demo.url, "P-1002", 3)
    journey.put_into_cart(page, demo.url, "P-2001", 1)
    shoot("cart")


def shoot_checkout(page: Page, demo: Demo, shoot: Shoot) -> None:
    page.goto(f"{demo.url}/checkout/")
    shoot("checkout")
    page.get_by_role("button", name="Look over the order").click()
    shoot("checkout-errors")
    journey.fill_address(page)
    page.get_by_role("button", name="Look over the order").click()
    shoot("review")
    page.get_by_role("button", name=re.compile("^Pay")).click()
    expect(page.get_by_label("Card number")).to_be_visible()
    shoot("hosted")


def shoot_order(page: Page, shoot: Shoot) -> None:
    journey.pay(page)
    expect(page.get_by_role("heading", name="Your discs arrive")).to_be_visible()
    shoot("order-begun")
    expect(page.get_by_text("1 of 1 disc written", exact=True)).to_be_visible(timeout=60_000)
    shoot("order-writing")
    expect(page.get_by_text("3 of 3 discs written", exact=True)).to_be_visible(timeout=60_000)
    expect(page.locator("li.current")).to_have_text("Packed", timeout=20_000)
    shoot("order-ready")


def shoot_admin(page: Page, demo: Demo, shoot: Shoot) -> None:
    page.goto(f"{demo.url}/admin/")
    shoot("admin-login")
    page.get_by_label("Username").fill("staff")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    shoot("admin")
    for name in ("storefront/order", "fulfillment/shipment", "devices/writer"):
        page.goto(f"{demo.url}/admin/{name}/")
        shoot(f"admin-{name.partition('/')[2]}s")
        page.locator("#result_list tbody th a").first.click()
        shoot(f"admin-{name.partition('/')[2]}")
