"""A customer who does not give up: presses again when a page does not come, and pays once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from itertools import count
from typing import Final

from storefront.demo.customer import BUYER, TEST_CARD, Customer, DoorShut, Page
from tests.faults.plant import Plant, read_sqlite

PATIENCE: Final = 60.0  # seconds for one page
NO_PAGE: Final = (DoorShut, OSError, HTTPException)
_numbers = count(1)


class Buyer:
    def __init__(self, plant: Plant) -> None:
        self.plant = plant
        self.customer = Customer()
        self.email = f"buyer-{next(_numbers)}@example.com"

    def order(self, part_number: str, copies: int) -> str:
        """From a title's page to a paid one; the order's number. How often the shop dies meanwhile is all the same."""
        self.pay(self.hosted_page(part_number, copies))
        return self.number()

    def hosted_page(self, part_number: str, copies: int) -> Page:
        """The payer's page for so many copies."""
        self._insist(lambda: self._fill_cart(part_number, copies), "the cart")
        return self._insist(self._check_out, "the page to pay on")

    def _fill_cart(self, part_number: str, copies: int) -> Page:
        title = self.customer.get(f"{self.plant.commands.shop_url}/titles/{part_number}/")
        return self.customer.submit(title, "/cart/add/", copies=str(copies))

    def _check_out(self) -> Page:
        checkout = self.customer.get(f"{self.plant.commands.shop_url}/checkout/")
        review = self.customer.submit(checkout, "/checkout/", **BUYER | {"email": self.email})
        hosted = self.customer.submit(review, "/checkout/pay/")
        hosted.form("/c/pay/")
        return hosted

    def pay(self, hosted: Page) -> None:
        """Presses «Pay» until the payer has the money. The way back to the shop may fail: nobody comes back then."""

        def press() -> bool:
            with suppress(*NO_PAGE):
                self.customer.pay(self.customer.get(hosted.url), TEST_CARD)
            return self._is_charged(hosted)

        self.plant.await_true(press, "the payment", PATIENCE)

    def _is_charged(self, hosted: Page) -> bool:
        session = hosted.url.partition("/c/pay/")[2].partition("/")[0]
        ledger = self.plant.folder / "stripe-ledger.sqlite3"
        return any(
            row["id"] == session for row in read_sqlite(ledger, "SELECT id FROM sessions WHERE status = 'complete'")
        )

    def number(self) -> str:
        """Of the one order: a second one would be a fault."""
        rows = self.plant.await_true(self._orders, "the database")
        assert len(rows) == 1, f"{self.email} has the orders {rows}"
        return str(rows[0])

    def _orders(self) -> list[str]:
        orders = self.plant.rows("SELECT number, email FROM storefront_order")
        return [order["number"] for order in orders if order["email"] == self.email]

    def _insist(self, step: Callable[[], Page], what: str) -> Page:
        def once() -> Page | None:
            with suppress(*NO_PAGE):
                return step()
            return None

        page: Page = self.plant.await_true(once, what, PATIENCE)
        return page
