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
    look_at = models.DateTimeField(null=True, editable=False, help_text="When the payer is asked, if no webhook came.")
    closing_until = models.DateTimeField(null=True, editable=False, help_text="Somebody closes its page until then.")
    disputed_at = models.DateTimeField(null=True, editable=False)
    dispute_over_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["order", "attempt"]
        indexes = [models.Index(fields=["look_at"], condition=Q(state__in=["opening", "open"]), name="payment_look")]
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


class MoneyDifference(models.Model):
    """What the payer has and what we have do not agree, and a person must look. One row for each matter.

    `source` is the payer's page, or whatever else names the matter; amounts are in minor units.
    """

    class Kind(models.TextChoices):
        UNMATCHED = "unmatched", "money without an order"
        NO_CHARGE = "no-charge", "an order without its money"
        PAID_BACK = "paid-back", "paid back otherwise than we know"

    kind = models.CharField(max_length=12, choices=Kind.choices)
    source = models.CharField(max_length=160)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, null=True, related_name="differences")
    session = models.CharField(max_length=120, blank=True)
    intent = models.CharField(max_length=120, blank=True)
    amount_minor = models.PositiveIntegerField(null=True)
    currency = models.CharField(max_length=3, blank=True)
    why = models.CharField(max_length=300)
    found_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, editable=False)
    resolution = models.CharField(max_length=200, blank=True, editable=False)
    by_person = models.BooleanField(default=False, editable=False, help_text="Closed by a person: it stays closed.")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["unmatched", "no-charge", "paid-back"]), name="money_difference_kind_known"
            ),
            models.UniqueConstraint(fields=["kind", "source"], name="money_difference_once"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.why}"


class Refund(models.Model):
    """Money to be paid back, whole. The row, with its idempotency key, stands before the payer is called."""

    class State(models.TextChoices):
        ASKED = "asked"  # the payer may or may not have heard of it: asked again, with the same key, until it says
        DONE = "done"
        REFUSED = "refused"

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, null=True, related_name="refunds")
    difference = models.ForeignKey(MoneyDifference, on_delete=models.PROTECT, null=True, related_name="refunds")
    key = models.CharField(max_length=160, unique=True, help_text="The idempotency key of the call to the payer.")
    session = models.CharField(max_length=120, help_text="The payer's page on which it was paid.")
    amount_minor = models.PositiveIntegerField()
    currency = models.CharField(max_length=3)
    elsewhere = models.BooleanField(default=False, help_text="Made at the payer's, not here.")
    state = models.CharField(max_length=8, choices=State.choices, default=State.ASKED, editable=False)
    reason = models.CharField(max_length=300, blank=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    next_try_at = models.DateTimeField(editable=False)
    created_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=["asked", "done", "refused"]), name="refund_state_known"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="refund_amount_positive"),
            models.UniqueConstraint(fields=["session"], condition=Q(state="asked"), name="refund_one_asked"),
        ]
        indexes = [models.Index(fields=["next_try_at"], condition=Q(state="asked"), name="refund_waiting")]

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
    api_version = models.CharField(max_length=40, blank=True)
    session = models.CharField(max_length=120, blank=True)
    outcome = models.CharField(max_length=12, choices=Outcome.choices)
    text = models.CharField(max_length=300, blank=True)
    received_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.event}"
