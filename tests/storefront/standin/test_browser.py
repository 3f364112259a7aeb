"""The hosted page in a real Chromium: pays, is declined and then pays, without any JavaScript."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, expect

from storefront.stripe_payer import StripePayer
from tests.storefront.standin.asking import order
from tests.storefront.standin.browsing import fill, page_of
from tests.storefront.standin.running import ROOT, StandIn


@contextmanager
def shop() -> Iterator[str]:
    """Where the customer comes back to: another origin, so the page's policy must let the redirect pass."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<!doctype html><title>Shop</title><h1>Thank you</h1>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_customer_pays(browser: Browser, payer: StripePayer, standin: StandIn) -> None:
    with shop() as url, page_of(browser) as page:
        opened = payer.open_checkout(order(success_url=f"{url}/paid?session={{CHECKOUT_SESSION_ID}}"))
        page.goto(str(opened.url))
        expect(page).to_have_title("Pay Spindle €24.70")
        fill(page, "4242 4242 4242 4242")
        page.get_by_role("button", name="Pay €24.70").click()
        page.wait_for_url(f"{url}/paid?session={opened.id}")
    assert payer.checkout(opened.id).paid


def test_a_customer_is_declined_and_then_pays_with_authentication(browser: Browser, payer: StripePayer) -> None:
    with shop() as url, page_of(browser) as page:
        opened = payer.open_checkout(order(success_url=f"{url}/paid", cancel_url=f"{url}/checkout"))
        page.goto(str(opened.url))
        fill(page, "4000000000009995")
        page.get_by_role("button", name="Pay €24.70").click()
        number = page.get_by_label("Card number")
        expect(number).to_have_attribute("aria-invalid", "true")
        expect(number).to_have_accessible_description("Your card has insufficient funds. Use another card.")
        expect(number).to_have_value("")
        expect(page.get_by_role("alert")).to_contain_text("Nothing was charged.")
        expect(page).to_have_title("Error: Pay Spindle €24.70")
        fill(page, "4000002500003155")
        page.get_by_role("button", name="Pay €24.70").click()
        page.get_by_role("button", name="Complete authentication").click()
        page.wait_for_url(f"{url}/paid")
        page.goto(str(opened.url))
        expect(page.get_by_role("heading", name="This payment is complete")).to_be_visible()


def test_the_way_back_leads_to_the_shop(browser: Browser, payer: StripePayer) -> None:
    with shop() as url, page_of(browser) as page:
        page.goto(str(payer.open_checkout(order(cancel_url=f"{url}/checkout")).url))
        page.get_by_role("link", name="Back to Spindle").click()
        page.wait_for_url(f"{url}/checkout")


@pytest.mark.parametrize("width", [320, 1440])
def test_nothing_is_wider_than_the_screen(browser: Browser, payer: StripePayer, width: int) -> None:
    with browser.new_context(viewport={"width": width, "height": 800}) as context:
        page = context.new_page()
        page.goto(str(payer.open_checkout(order()).url))
        page.get_by_text("Test card numbers").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for box in page.locator("input, button").all():
            bounds = box.bounding_box()
            assert bounds is not None
            assert bounds["height"] >= 44


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast ratio of two #rrggbb (or #rgb) colours."""

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
        parts = [int(digits[start : start + 2], 16) / 255 for start in (0, 2, 4)]
        red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_every_colour_is_readable_on_its_ground_in_both_modes() -> None:
    css = (ROOT / "storefront/standin/standin.css").read_text()
    modes = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6});", part)) for part in css.split("@media")[:2]]
    assert len(modes[0]) == len(modes[1]) == 13
    texts = [("ink", "paper"), ("ink", "card"), ("quiet", "paper"), ("quiet", "card"), ("accent", "paper")]
    texts += [("accent", "card"), ("on-accent", "accent"), ("watch", "watch-ground"), ("bad", "bad-ground")]
    texts += [("bad", "card"), ("fine", "card")]
    for mode in modes:
        for text, ground in texts:
            assert contrast(mode[text], mode[ground]) >= 4.5, (text, ground)
        assert contrast(mode["edge"], mode["card"]) >= 3  # the border of a field
