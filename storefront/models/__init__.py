"""Orders, payments, prices and the mail outbox."""

from storefront.models.catalogue import Product
from storefront.models.mail import Mail
from storefront.models.orders import Order, OrderEvent, OrderLine
from storefront.models.payments import Payment, ProviderEvent

__all__ = ["Mail", "Order", "OrderEvent", "OrderLine", "Payment", "Product", "ProviderEvent"]
