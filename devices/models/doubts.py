"""When the server doubted itself: so many writers fell silent at once that it is rather deaf than they are gone."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class SelfDoubt(models.Model):
    """While one has not ended, no writer is set offline."""

    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    silent = models.PositiveIntegerField(help_text="Writers that fell silent within a minute.")
    fleet = models.PositiveIntegerField(help_text="Writers that were at work.")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                models.Value(1), condition=Q(ended_at=None), name="devices_doubt_once", violation_error_message="once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.silent} of {self.fleet} silent since {self.began_at:%d %b %H:%M}"
