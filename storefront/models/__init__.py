"""Orders, payments, prices, the mail outbox and alerts."""

from storefront.models.alerts import Alert
from storefront.models.catalogue import Product
from storefront.models.limits import Tally
from storefront.models.mail import Mail
from storefront.models.orders import Order, OrderEvent, OrderLine
from storefront.models.payments import MoneyDifference, Payment, ProviderEvent, Refund
from storefront.models.ticks import TickRun

__all__ = [
    "Alert",
    "Mail",
    "MoneyDifference",
    "Order",
    "OrderEvent",
    "OrderLine",
    "Payment",
    "Product",
    "ProviderEvent",
    "Refund",
    "Tally",
    "TickRun",
]
