"""Work on a row that failed: how often, why, and whether it is left alone until somebody says «try again»."""

from __future__ import annotations

from django.db import models


class Trouble(models.Model):
    """One step of a tick on one row of any app above. `set_aside_at` is set after the last try; then nobody tries."""

    step = models.CharField(max_length=40, help_text="What failed, for example fulfillment.read-write.")
    row = models.CharField(max_length=64, help_text="The row's key.")
    name = models.CharField(max_length=200, help_text="What the row calls itself.")
    tries = models.PositiveSmallIntegerField(default=0)
    reason = models.TextField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    next_try_at = models.DateTimeField()
    set_aside_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-last_at"]
        verbose_name_plural = "troubles (work set aside)"
        constraints = [models.UniqueConstraint(fields=["step", "row"], name="devices_trouble_once")]

    def __str__(self) -> str:
        return f"{self.step} {self.name}"
