"""Money on its way. States are written by `storefront/lifecycle.py` alone."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from storefront.models.orders import Order


class Payment(models.Model):
    """One attempt to be paid for an order. The row, with its idempotency key, stands before the payer is called."""

    class State(models.TextChoices):
        OPENING = "opening"  # the payer may or may not have heard of it
        OPEN = "open"  # a hosted page exists
        PAID = "paid"
        EXPIRED = "expired"

    UNFINISHED = (State.OPENING, State.OPEN)

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="payments")
    attempt = models.PositiveSmallIntegerField()
    key = models.CharField(max_length=60, unique=True, help_text="The idempotency key of the call to the payer.")
    state = models.CharField(max_length=12, choices=State.choices, default=State.OPENING, editable=False)
    session = models.CharField(max_length=120, unique=True, null=True, editable=False)  # noqa: DJ001  (unique, unknown at first)
    url = models.TextField(blank=True, editable=False)
    content = models.CharField(max_length=64, help_text="Digest of what is paid for; other content, other attempt.")
    amount_minor = models.PositiveIntegerField()
    currency = models.CharField(max_length=3)
    intent = models.CharField(max_length=120, blank=True, editable=False)
    created_at = models.DateTimeField()
    paid_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["order", "attempt"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["opening", "open", "paid", "expired"]), name="payment_state_known"
            ),
            models.UniqueConstraint(fields=["order", "attempt"], name="payment_attempt_once"),
            # Nobody can be charged twice: one unfinished attempt, and one paid one, for an order.
            models.UniqueConstraint(
                fields=["order"], condition=Q(state__in=["opening", "open"]), name="payment_one_unfinished"
            ),
            models.UniqueConstraint(fields=["order"], condition=Q(state="paid"), name="payment_one_paid"),
            models.CheckConstraint(
                condition=Q(state="opening") | Q(session__isnull=False) | Q(state="expired"),
                name="payment_open_has_session",
            ),
        ]

    def __str__(self) -> str:
        return self.key


class ProviderEvent(models.Model):
    """A signed event from the payer, kept once per id, in the same transaction as its effect."""

    class Outcome(models.TextChoices):
        SETTLED = "settled"
        EXPIRED = "expired"
        IGNORED = "ignored"
        UNMATCHED = "unmatched"  # somebody has to look: money, and no order that it fits

    event = models.CharField(max_length=120, unique=True)
    kind = models.CharField(max_length=80)
    session = models.CharField(max_length=120, blank=True)
    outcome = models.CharField(max_length=12, choices=Outcome.choices)
    text = models.CharField(max_length=300, blank=True)
    received_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.event}"
