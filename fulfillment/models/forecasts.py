"""What was foreseen of each shipment, what became of it, and what that taught.

Written by `fulfillment/foreseeing.py` alone.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from fulfillment.models.shipments import Shipment


class ShipmentForecast(models.Model):
    """What was said of a shipment when it was promised. Nothing of that ever changes; what comes after is beside it.

    `ready_p50` … are the instants by which it was to be made in so large a part of all cases, as they were said;
    `forecast` is the distribution they were read from (`planning/forecast.py`), so that its place in it can be found.
    """

    shipment = models.OneToOneField(Shipment, on_delete=models.CASCADE, related_name="forecast")
    at = models.DateTimeField()
    kind = models.CharField(max_length=40, help_text="Orders that err alike: format and discs.")
    load = models.FloatField(help_text="Discs under way or waiting for each drive of its format, when it was said.")
    forecast = models.JSONField()
    ready_p50 = models.DateTimeField()
    ready_p90 = models.DateTimeField()
    ready_p97 = models.DateTimeField()

    risk = models.FloatField(
        null=True, help_text="The chance of missing the hand-over, when half of the time was over."
    )
    place = models.FloatField(null=True, help_text="Where in the distribution it was made. Empty: it is not made yet.")
    scored_at = models.DateTimeField(null=True, help_text="When it was made, or left out of the scores.")

    class Meta:
        indexes = [
            models.Index(fields=["shipment"], condition=Q(scored_at=None), name="forecast_unscored"),
            models.Index(fields=["at"], name="forecast_at"),
        ]

    def __str__(self) -> str:
        return f"{self.shipment_id}: {self.ready_p50:%Y-%m-%d %H:%M}"


class ForecastMemory(models.Model):
    """All that past discs and shipments taught of chance: one row. As JSON, what `planning/experience.py` and
    `planning/calibration.py` keep."""

    experience = models.JSONField(default=dict)
    calibration = models.JSONField(default=dict)
    revision = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="forecast_memory_alone")]

    def __str__(self) -> str:
        return "what forecasts taught"
