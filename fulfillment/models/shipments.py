"""A parcel on its way from job to door: its address, its dates and its papers.

States are written by `fulfillment/lifecycle.py` alone.
"""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q
from django_countries.fields import CountryField

from fulfillment.models.carriers import Service
from fulfillment.models.log import LogEntry, Revisioned


class PostalAddress(models.Model):
    """An address as its owner writes it; nothing but name, first line, town and country is demanded."""

    name = models.CharField(max_length=80)
    organisation = models.CharField(max_length=80, blank=True)
    line1 = models.CharField("address line 1", max_length=100)
    line2 = models.CharField("address line 2", max_length=100, blank=True)
    city = models.CharField("town or city", max_length=80)
    region = models.CharField("region", max_length=80, blank=True)
    postal_code = models.CharField("postal code", max_length=16, blank=True)
    country = CountryField()

    class Meta:
        abstract = True


ADDRESS_FIELDS = tuple(field.name for field in PostalAddress._meta.local_fields)


class Shipment(PostalAddress, Revisioned):
    class State(models.TextChoices):
        PREPARING = "preparing"
        READY = "ready"
        PACKED = "packed"
        SHIPPED = "shipped"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reference = models.CharField(max_length=20, unique=True, help_text="The order's number.")
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=12, choices=State.choices, default=State.PREPARING, editable=False)
    received_at = models.DateTimeField()
    promised_on = models.DateField(null=True, help_text="The arrival date promised at payment; never changes.")
    plan_run = models.ForeignKey(
        "fulfillment.PlanRun",
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
        help_text="The roll-forward behind the promise.",
    )
    hand_over_by = models.DateField(
        null=True, editable=False, help_text="The last day on which it may leave for the promised arrival."
    )
    estimated_on = models.DateField(null=True, editable=False)
    estimate_reason = models.CharField(
        max_length=200, blank=True, editable=False, help_text="Why the estimate moved last, for its customer to read."
    )
    ready_at = models.DateTimeField(null=True, editable=False)
    packed_at = models.DateTimeField(null=True, editable=False)
    shipped_at = models.DateTimeField(null=True, editable=False)
    delivered_on = models.DateField(
        "delivered on",
        null=True,
        blank=True,
        help_text="As the carrier or the customer says; the promise is scored by it.",
    )
    tracking = models.CharField("tracking number", max_length=60, blank=True)

    class Meta:
        ordering = ["received_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["preparing", "ready", "packed", "shipped", "cancelled"]),
                name="shipment_state_known",
            ),
        ]
        indexes = [models.Index(fields=["id"], condition=Q(revision__gt=F("revision_read")), name="shipment_unread")]

    def __str__(self) -> str:
        return f"{self.reference} to {self.city}"

    @property
    def about(self) -> dict[str, str]:
        """Names it in the log."""
        return {"shipment": str(self.pk), "order": self.reference}


class ShipmentEvent(LogEntry):
    """The log of a shipment."""

    shipment = models.ForeignKey(Shipment, on_delete=models.PROTECT, related_name="events")


class Paper(models.Model):
    """A label, slip or face to print: its row stands before its file does."""

    class Kind(models.TextChoices):
        ADDRESS_LABEL = "address-label"
        PACKING_SLIP = "packing-slip"
        DISC_FACE = "disc-face"

    class State(models.TextChoices):
        WAITING = "waiting"
        PRINTED = "printed"
        FAILED = "failed"

    shipment = models.ForeignKey(Shipment, on_delete=models.PROTECT, related_name="papers")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING, editable=False)
    path = models.CharField(max_length=300, blank=True, editable=False)
    sha256 = models.CharField(max_length=64, blank=True, editable=False)
    pages = models.PositiveIntegerField(default=0, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    next_try_at = models.DateTimeField(editable=False)
    reason = models.CharField(max_length=300, blank=True, editable=False)
    printed_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["shipment", "kind"], name="paper_once"),
            models.CheckConstraint(condition=Q(state__in=["waiting", "printed", "failed"]), name="paper_state_known"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.shipment.reference}"
