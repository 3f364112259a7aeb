"""The one outbox: a mail is a row before it is a mail. States are written by `storefront/outbox.py` alone."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from storefront.models.orders import Order


class Mail(models.Model):
    class State(models.TextChoices):
        WAITING = "waiting"
        SENT = "sent"
        FAILED = "failed"

    key = models.CharField(max_length=80, unique=True, help_text="What it is about: asked for twice, it is sent once.")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, null=True, related_name="mails")
    to = models.EmailField()
    subject = models.CharField(max_length=200)
    text = models.TextField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    next_try_at = models.DateTimeField()
    reason = models.CharField(max_length=300, blank=True, editable=False)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=["waiting", "sent", "failed"]), name="mail_state_known"),
        ]
        indexes = [models.Index(fields=["next_try_at"], condition=Q(state="waiting"), name="mail_waiting")]

    def __str__(self) -> str:
        return f"{self.subject} → {self.to}"
