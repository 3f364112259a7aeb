"""How each tick did: one row per task, kept by `storefront/ticks.py`, read by the metrics."""

from __future__ import annotations

from django.db import models


class TickRun(models.Model):
    """Sums over all runs in all workers, and the newest run. Seconds are of the worker's clock."""

    name = models.CharField(max_length=80, unique=True)
    runs = models.PositiveBigIntegerField(default=0)
    failures = models.PositiveBigIntegerField(default=0)
    seconds = models.FloatField(default=0.0)
    last_seconds = models.FloatField(default=0.0)
    finished_at = models.DateTimeField()
    succeeded_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
