"""What customers ordered, and the log of it. States are written by `storefront/lifecycle.py` alone."""

from __future__ import annotations

import secrets
import uuid

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.urls import reverse

from archive.formats import CHOICES
from archive.models import TitleVersion
from devices.serials import CROCKFORD
from fulfillment.models import LogEntry, PlanRun, PostalAddress, Service, Shipment
from storefront.pricing import format_amount


def new_number() -> str:
    """«S-» and 8 Crockford characters. Not a counter: it tells nobody how many orders there are."""
    return "S-" + "".join(secrets.choice(CROCKFORD) for _ in range(8))


def new_token() -> str:
    """128 bits for the private link."""
    return secrets.token_hex(16)


class Order(PostalAddress):
    class State(models.TextChoices):
        AWAITING_PAYMENT = "awaiting-payment"
        PAID = "paid"
        IN_PRODUCTION = "in-production"
        READY = "ready"
        SHIPPED = "shipped"
        CANCELLATION_REQUESTED = "cancellation-requested"
        CANCELLED = "cancelled"

    number = models.CharField(max_length=20, unique=True, default=new_number, editable=False)
    token = models.CharField(max_length=32, unique=True, default=new_token, editable=False)
    checkout = models.UUIDField(
        unique=True, default=uuid.uuid4, editable=False, help_text="The checkout it came from: a second click finds it."
    )
    state = models.CharField(max_length=24, choices=State.choices, default=State.AWAITING_PAYMENT, editable=False)
    email = models.EmailField()
    phone = models.CharField(max_length=40, blank=True)
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="+")
    wanted_on = models.DateField(null=True, blank=True, help_text="The date by which the customer wants it.")
    shown_on = models.DateField(null=True, editable=False, help_text="The arrival shown when the order was placed.")
    plan_run = models.ForeignKey(
        PlanRun,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        help_text="The roll-forward behind the date shown.",
    )
    currency = models.CharField(max_length=3)
    goods_minor = models.PositiveIntegerField()
    shipping_minor = models.PositiveIntegerField()
    tax_minor = models.PositiveIntegerField(help_text="Inside the total.")
    total_minor = models.PositiveIntegerField()
    received_at = models.DateTimeField(db_index=True)
    paid_at = models.DateTimeField(null=True, editable=False)
    shipment = models.OneToOneField(Shipment, on_delete=models.PROTECT, null=True, editable=False, related_name="+")
    revision = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        ordering = ["-received_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    state__in=[
                        "awaiting-payment",
                        "paid",
                        "in-production",
                        "ready",
                        "shipped",
                        "cancellation-requested",
                        "cancelled",
                    ]
                ),
                name="order_state_known",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["awaiting-payment", "cancelled"]) | Q(paid_at__isnull=False),
                name="order_paid_has_time",
            ),
            models.CheckConstraint(
                condition=Q(total_minor=F("goods_minor") + F("shipping_minor")), name="order_total_adds_up"
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def about(self) -> dict[str, str]:
        """Names it in the log."""
        return {"order": self.number}

    def get_absolute_url(self) -> str:
        return reverse("order", args=[self.token])

    @property
    def link(self) -> str:
        return settings.SPINDLE_BASE_URL + self.get_absolute_url()

    @property
    def cancel_link(self) -> str:
        return settings.SPINDLE_BASE_URL + reverse("order-cancel", args=[self.token])

    @property
    def total(self) -> str:
        return format_amount(self.total_minor, self.currency)

    @property
    def shipping(self) -> str:
        return format_amount(self.shipping_minor, self.currency)

    @property
    def tax(self) -> str:
        return format_amount(self.tax_minor, self.currency)


class OrderLine(models.Model):
    """A title in the version, on the format and at the price it was ordered."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    version = models.ForeignKey(TitleVersion, on_delete=models.PROTECT, related_name="+")
    format = models.CharField(max_length=16, choices=CHOICES)
    copies = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    unit_minor = models.PositiveIntegerField()
    total_minor = models.PositiveIntegerField()
    tax_minor = models.PositiveIntegerField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["order", "version", "format"], name="order_line_once"),
            models.CheckConstraint(condition=Q(copies__gt=0), name="order_line_copies_positive"),
            models.CheckConstraint(condition=Q(total_minor=F("unit_minor") * F("copies")), name="order_line_adds_up"),
        ]

    def __str__(self) -> str:
        return f"{self.copies} × {self.version.title}"

    @property
    def total(self) -> str:
        return format_amount(self.total_minor, self.order.currency)

    @property
    def reference(self) -> str:
        """What the floors below know this line by."""
        return f"{self.order.number}/{self.pk}"


class OrderEvent(LogEntry):
    """The order log."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="events")
