"""The cart: products and copies, kept in the session. It outlives a failed, cancelled or forgotten payment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase

from archive.models import TitleVersion
from fulfillment.quotes import Wanted
from storefront.models import Product
from storefront.pricing import LinePrice, format_amount, price_line

MAX_COPIES: Final = 1000  # of one title; more is a talk with a person, not a form
MAX_LINES: Final = 50

KEY = "cart"


@dataclass(frozen=True, slots=True)
class CartLine:
    product: Product
    version: TitleVersion
    copies: int
    price: LinePrice

    @property
    def total(self) -> str:
        return format_amount(self.price.total, settings.SPINDLE_CURRENCY)

    @property
    def wanted(self) -> Wanted:
        return Wanted(image=self.version.image, format=self.product.format, copies=self.copies)


class CartFull(Exception):
    """A cart holds at most 50 different titles: order these first."""


class Cart:
    def __init__(self, session: SessionBase) -> None:
        self._session = session
        self._copies: dict[str, int] = dict(session.get(KEY, {}))

    def __len__(self) -> int:
        return sum(self._copies.values())

    def lines(self) -> list[CartLine]:
        """What is still sold of what was put in, in the order it was put in."""
        products = Product.sold().filter(pk__in=self._copies).select_related("title")
        by_id = {str(product.pk): product for product in products}
        lines = []
        for key, copies in self._copies.items():
            product = by_id.get(key)
            version = product.title.newest if product else None
            if product and version:
                price = price_line(product.price_minor, copies, settings.SPINDLE_TAX_PERMILLE)
                lines.append(CartLine(product, version, copies, price))
        return lines

    def put(self, product: Product, copies: int) -> None:
        """Sets how many copies of it are wanted. Raises CartFull."""
        if str(product.pk) not in self._copies and len(self._copies) >= MAX_LINES:
            raise CartFull(CartFull.__doc__)
        self._copies[str(product.pk)] = copies
        self._save()

    def remove(self, product: Product) -> None:
        self._copies.pop(str(product.pk), None)
        self._save()

    def drop_all_but(self, lines: list[CartLine]) -> bool:
        """Takes out what is no longer sold; True if there was such a thing."""
        sold = {str(line.product.pk) for line in lines}
        gone = [key for key in self._copies if key not in sold]
        for key in gone:
            del self._copies[key]
        if gone:
            self._save()
        return bool(gone)

    def empty(self) -> None:
        self._copies.clear()
        self._save()

    def _save(self) -> None:
        self._session[KEY] = self._copies


def goods_total(lines: list[CartLine]) -> int:
    return sum(line.price.total for line in lines)
