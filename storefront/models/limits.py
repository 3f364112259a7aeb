"""How often something was done of late."""

from __future__ import annotations

from django.db import models


class Tally(models.Model):
    """How often one door was used by one visitor until the end of a span of time; gone soon after it."""

    key = models.CharField(max_length=100, help_text="Door, kind, and a keyed hash of who: no address is kept.")
    ends_at = models.DateTimeField(db_index=True)
    count = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "ends_at"], name="tally_once")]

    def __str__(self) -> str:
        return f"{self.key}: {self.count}"
