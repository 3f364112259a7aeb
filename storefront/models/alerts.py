"""What staff must know of, for as long as it is so. Rows are opened and closed by `storefront/alerts.py` alone."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Alert(models.Model):
    """One matter: opened when its fact appears, told once, closed by itself when the fact is gone."""

    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=200, help_text="Which one of its kind.")
    text = models.CharField(max_length=1000, help_text="What it is, and what to do.")
    opened_at = models.DateTimeField()
    told_at = models.DateTimeField(null=True, editable=False)
    closed_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "key"], condition=Q(closed_at=None), name="alert_open_once")
        ]
        indexes = [models.Index(fields=["kind", "key", "opened_at"], name="alert_of_key")]

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"

    @property
    def state(self) -> str:
        return "closed" if self.closed_at else "amiss"
