"""The customer's way through the shop, as a browser walks it."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect


def put_into_cart(page: Page, shop: str, part_number: str, copies: int) -> None:
    page.goto(f"{shop}/titles/{part_number}/")
    page.get_by_label("Copies").fill(str(copies))
    page.get_by_role("button", name="Put into the cart").click()
    expect(page.get_by_role("heading", name="Cart")).to_be_visible()


def fill_address(page: Page) -> None:
    page.get_by_label("Name").fill("Zoë Kowalska-Łukasiewicz")
    page.get_by_role("textbox", name="E-mail").fill("zoe@example.com")
    page.get_by_label("Address line 1").fill("Hauptstraße 12")
    page.get_by_label("Postal code").fill("10827")
    page.get_by_label("Town or city").fill("Berlin")


def to_payment(page: Page, shop: str) -> None:
    """From a filled cart to the hosted page."""
    page.goto(f"{shop}/checkout/")
    fill_address(page)
    page.get_by_role("button", name="Look over the order").click()
    expect(page.get_by_role("heading", name="Look over your order")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Pay")).click()
    expect(page.get_by_label("Card number")).to_be_visible()


def pay(page: Page, card: str = "4242 4242 4242 4242") -> None:
    page.get_by_label("Card number").fill(card)
    page.get_by_label("Expiry date").fill("12/34")
    page.get_by_label("Security code").fill("123")
    page.get_by_label("Name on card").fill("Zoe Kowalska")
    page.get_by_role("button", name=re.compile("^Pay")).click()
