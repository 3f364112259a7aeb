"""What the plant's own log taught: its speed, beside what a person fixed by hand, and what its writers write most.

`fulfillment/learning.py` and `fulfillment/demand.py` alone write what is learned; the admin alone writes what is
fixed.
"""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from archive.formats import CHOICES
from devices.models import Writer
from fulfillment.planning.cost import MEGA, Kind, prior
from fulfillment.planning.learning import PRIOR_SPREAD, Learned

WIDEST: Final = 20  # a fixed value is at most so many times the prior, or the prior so many times it


class LearnedRate(models.Model):
    """One thing that is timed. `mean` and `spread` are of the log of its time over the prior's."""

    class What(models.TextChoices):
        SPEED = Kind.SPEED.value, "write and verify"
        LOAD = Kind.LOAD.value, "load and close"
        LINK = Kind.LINK.value, "fetch"

    writer = models.ForeignKey(Writer, on_delete=models.CASCADE, related_name="learned_rates")
    drive = models.CharField(max_length=64, blank=True, help_text="Empty: of the whole writer.")
    kind = models.CharField(max_length=8, choices=What)
    format = models.CharField(max_length=16, blank=True, choices=CHOICES)

    samples = models.PositiveIntegerField(default=0, help_text="Since the last reset.")
    mean = models.FloatField(default=0.0)
    spread = models.FloatField(default=PRIOR_SPREAD)
    drift = models.FloatField(default=0.0)
    run: models.JSONField[Any, list[float]] = models.JSONField(default=list)
    resets = models.PositiveIntegerField(default=0)
    learned_at = models.DateTimeField(null=True)
    reset_at = models.DateTimeField(null=True)
    reset_why = models.CharField(max_length=200, blank=True)

    fixed = models.FloatField(
        "fixed value", null=True, blank=True, help_text="In the unit above. Empty: what is learned is used."
    )
    fixed_why = models.CharField("why", max_length=200, blank=True, help_text="Needed with a fixed value.")
    fixed_by = models.CharField(max_length=100, blank=True)
    fixed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["writer", "drive", "format", "kind"]
        constraints = [
            models.UniqueConstraint(fields=["writer", "drive", "kind", "format"], name="learned_rate_once"),
            models.CheckConstraint(condition=Q(kind__in=[kind.value for kind in Kind]), name="learned_rate_kind_known"),
            models.CheckConstraint(condition=Q(spread__gt=0), name="learned_rate_spread_positive"),
            models.CheckConstraint(
                condition=Q(fixed=None) | (Q(fixed__gt=0) & ~Q(fixed_why="") & ~Q(fixed_by="")),
                name="learned_rate_fixed_says_why",
            ),
        ]

    def __str__(self) -> str:
        parts = (str(self.writer), self.drive, self.get_format_display() if self.format else "")
        return ", ".join([*filter(None, parts), self.get_kind_display()])

    @property
    def state(self) -> Learned:
        return Learned(self.samples, self.mean, self.spread, self.drift, tuple(self.run), self.resets)

    @property
    def unit(self) -> str:
        return "s" if self.kind == Kind.LOAD else "MB/s"

    @property
    def prior(self) -> float:
        """Bytes a second, or seconds."""
        return prior(Kind(self.kind), self.format)

    @property
    def learned(self) -> float:
        """The same, with the prior in it for as much as it still weighs. A speed falls as the time grows."""
        factor = self.state.factor
        return self.prior * factor if self.kind == Kind.LOAD else self.prior / factor

    @property
    def used(self) -> float:
        """What the planner uses."""
        if self.fixed is None:
            return self.learned
        return self.fixed * (1 if self.kind == Kind.LOAD else MEGA)

    def told(self, value: float) -> str:
        """A value for people: «2.5 MB/s»."""
        return f"{value / (1 if self.kind == Kind.LOAD else MEGA):.3g} {self.unit}"

    def clean(self) -> None:
        if self.fixed is None:
            return
        scale = 1 if self.kind == Kind.LOAD else MEGA
        least, most = self.prior / WIDEST / scale, self.prior * WIDEST / scale
        if not least <= self.fixed <= most:
            text = f"Give a value from {least:.3g} to {most:.3g} {self.unit}, or leave it empty to use what is learned."
            raise ValidationError({"fixed": text})
        if not self.fixed_why.strip():
            raise ValidationError({"fixed_why": "Say why it is fixed, for whoever finds it later."})


class ImageDemand(models.Model):
    """How much an image is asked for, as planning/demand.py counts it. Without a row: never, as far as is known."""

    sha256 = models.CharField(max_length=64, unique=True)
    level = models.FloatField()

    def __str__(self) -> str:
        return f"{self.sha256[:12]}: {self.level:.3f}"


class LearningMark(models.Model):
    """How far the log of the devices and the writes were read: the one row by which each of them teaches once."""

    event = models.PositiveBigIntegerField(default=0)
    write = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="learning_mark_alone")]

    def __str__(self) -> str:
        return f"event {self.event}"
