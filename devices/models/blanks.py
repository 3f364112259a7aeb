"""Blanks in bins, as a ledger: remaining = loaded + adjusted − started."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from devices.agent import wire

from .rules import one_of
from .writers import Writer


class BlankBin(models.Model):
    """Blanks of one kind in one bin of one writer.

    Every blank that was started ends as a good, bad or unknown disc. `counted` is false while neither
    the machine (`by_machine`) nor a person has said how many there are: then `remaining` means nothing.
    """

    writer = models.ForeignKey(Writer, on_delete=models.CASCADE, related_name="bins")
    format = models.CharField(max_length=16)
    kind = models.CharField(max_length=32)
    bin = models.CharField(max_length=64)
    counted = models.BooleanField(default=False)
    by_machine = models.BooleanField(default=False)
    loaded = models.BigIntegerField(default=0)
    adjusted = models.BigIntegerField(default=0)
    started = models.PositiveBigIntegerField(default=0)
    good = models.PositiveBigIntegerField(default=0)
    bad = models.PositiveBigIntegerField(default=0)
    unknown = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["writer", "format", "bin", "kind"]
        constraints = [
            models.UniqueConstraint(fields=["writer", "format", "kind", "bin"], name="devices_bin_once"),
            one_of("format", wire.FORMATS, "devices_bin_format"),
            models.CheckConstraint(
                condition=Q(started__gte=F("good") + F("bad") + F("unknown")), name="devices_bin_conserves"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} in {self.bin} of {self.writer}"

    @property
    def remaining(self) -> int:
        return self.loaded + self.adjusted - self.started


class BlankEntry(models.Model):
    """One line of a bin's ledger, never changed: what was loaded or corrected, by whom and why."""

    class Column(models.TextChoices):
        LOADED = "loaded"
        ADJUSTED = "adjusted"

    bin = models.ForeignKey(BlankBin, on_delete=models.CASCADE, related_name="entries")
    column = models.CharField(max_length=16, choices=Column)
    change = models.BigIntegerField(help_text="Blanks put in; negative: taken out or found missing.")
    by = models.CharField(max_length=100)
    why = models.CharField(max_length=200)
    at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "blank entries"
        constraints = [one_of("column", ("loaded", "adjusted"), "devices_entry_column")]

    def __str__(self) -> str:
        return f"{self.change:+d} {self.bin}"
