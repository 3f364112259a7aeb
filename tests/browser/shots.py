"""Pictures of every page at three widths, light and dark, to build/shots/: run by `make shots`, judged by people."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import journey
from tests.browser.demo import PASSWORD, Demo

SHOTS = Path(__file__).resolve().parents[2] / "build" / "shots"

Shoot = Callable[[Page, str], None]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1440])
def test_shoot(demo: Demo, browser: Browser, width: int, theme: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)  # type: ignore[arg-type]  # a literal by construction
    page = context.new_page()

    def shoot(name: str) -> None:
        page.screenshot(path=SHOTS / f"{name}-{width}-{theme}.png", full_page=True)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{name} is {wide} px wide at {width}"

    page.goto(f"{demo.url}/")
    shoot("front")
    page.goto(f"{demo.url}/?q=disc")
    shoot("search")
    page.goto(f"{demo.url}/?q=nothing+like+it")
    shoot("search-empty")
    page.goto(f"{demo.url}/cart/")
    shoot("cart-empty")
    page.goto(f"{demo.url}/titles/P-1002/")
    shoot("title")
    page.get_by_label("Copies").fill("0")
    page.locator("form[data-hx-get]").evaluate("form => form.noValidate = true")
    page.get_by_role("button", name="Put into the cart").click()
    shoot("title-error")
    journey.put_into_cart(page, demo.url, "P-1002", 3)
    journey.put_into_cart(page, demo.url, "P-2001", 1)
    shoot("cart")
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
    journey.pay(page)
    expect(page.get_by_text("1 disc written", exact=False).first).to_be_visible()
    shoot("order-begun")
    page.wait_for_timeout(2500)
    shoot("order-writing")
    expect(page.get_by_text("3 of 3 discs written", exact=True)).to_be_visible(timeout=60_000)
    page.wait_for_timeout(3000)
    shoot("order-ready")
    page.goto(f"{demo.url}/nothing-here/")
    shoot("not-found")
    page.goto(f"{demo.url}/admin/")
    shoot("login")
    page.get_by_label("Username").fill("staff")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    shoot("admin")
    page.goto(f"{demo.url}/admin/fulfillment/shipment/")
    page.screenshot(path=SHOTS / f"admin-shipments-{width}-{theme}.png", full_page=True)
    page.locator(".field-reference a, th a").first.click()
    page.screenshot(path=SHOTS / f"admin-shipment-{width}-{theme}.png", full_page=True)
    context.close()
