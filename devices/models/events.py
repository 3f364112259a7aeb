"""What happened to writers, writes and discs: a log that only grows."""

from __future__ import annotations

from typing import Any

from django.db import models

from .writers import Writer
from .writes import Write


class AppendOnly(Exception):
    """An event is never changed or removed; write another one that says what is true now."""


class DeviceEvent(models.Model):
    """`kind` says what moved (write, disc, writer, reason …), `old` and `new` its states, `at` our clock."""

    writer = models.ForeignKey(Writer, on_delete=models.PROTECT, related_name="events")
    write = models.ForeignKey(Write, on_delete=models.PROTECT, null=True, blank=True, related_name="events")
    serial = models.CharField(max_length=32, blank=True, default="", db_index=True)
    kind = models.CharField(max_length=32)
    old = models.CharField(max_length=64, blank=True, default="")
    new = models.CharField(max_length=64, blank=True, default="")
    at = models.DateTimeField()
    actor = models.CharField(max_length=100)
    text = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["writer", "kind", "new"], name="devices_event_lookup")]

    def __str__(self) -> str:
        return f"{self.kind} {self.old} → {self.new}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnly(AppendOnly.__doc__)
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise AppendOnly(AppendOnly.__doc__)
