"""What rows with a life of their own share: a log that only grows, and a revision that the floor above reads."""

from __future__ import annotations

from django.db import models


class LogEntry(models.Model):
    """One change: appended in the same transaction as the change it tells of, and never touched again."""

    at = models.DateTimeField()
    actor = models.CharField(max_length=80)
    old = models.CharField(max_length=24, blank=True)
    new = models.CharField(max_length=24)
    text = models.CharField(max_length=300, blank=True)

    class Meta:
        abstract = True
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.old or '·'} → {self.new}"


class Revisioned(models.Model):
    """`revision` grows with every change, in the same UPDATE; `revision_read` is what the floor above has seen."""

    revision = models.PositiveIntegerField(default=1, editable=False)
    revision_read = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        abstract = True
