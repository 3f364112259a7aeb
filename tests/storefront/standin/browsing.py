"""The hosted page in Debian's Chromium: opens it, fills it in, and pictures every state of it for `make shots`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page

from storefront.stripe_payer import StripePayer
from tests.storefront.standin.asking import order


@contextmanager
def page_of(browser: Browser, width: int = 360, scheme: str = "light") -> Iterator[Page]:
    """A page without JavaScript."""
    context = browser.new_context(
        viewport={"width": width, "height": 800},
        java_script_enabled=False,
        color_scheme="dark" if scheme == "dark" else "light",
    )
    yield context.new_page()
    context.close()


def fill(page: Page, number: str) -> None:
    page.get_by_label("Card number").fill(number)
    page.get_by_label("Expiry date").fill("12/40")
    page.get_by_label("Security code").fill("123")
    page.get_by_label("Name on card").fill("Anna Weiß")


def take_shots(browser: Browser, payer: StripePayer, folder: Path) -> None:
    """Every state of the page at both widths, light and dark: for eyes."""
    for width in (360, 1440):
        for scheme in ("light", "dark"):
            with page_of(browser, width, scheme) as page:
                opened = payer.open_checkout(order())
                name = f"{width}-{scheme}.png"
                page.goto(str(opened.url))
                page.screenshot(path=folder / f"pay-{name}", full_page=True)
                fill(page, "4000000000000127")
                page.get_by_role("button", name="Pay €24.70").click()
                page.get_by_text("Test card numbers").click()
                page.screenshot(path=folder / f"declined-{name}", full_page=True)
                fill(page, "4000002500003155")
                page.get_by_role("button", name="Pay €24.70").click()
                page.screenshot(path=folder / f"authenticate-{name}", full_page=True)
                payer.expire_checkout(opened.id)
                page.goto(str(opened.url))
                page.screenshot(path=folder / f"expired-{name}", full_page=True)
