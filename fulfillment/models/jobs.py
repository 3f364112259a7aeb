"""Work to be done: one job is one image, n copies, one format, for one shipment.

States are written by `fulfillment/lifecycle.py` alone.
"""

from __future__ import annotations

import uuid

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q

from archive.formats import CHOICES
from archive.models import Image
from devices.models import Disc, Write
from fulfillment.models.log import LogEntry, Revisioned
from fulfillment.models.shipments import Shipment

OPEN_JOB = Q(state__in=["waiting", "held", "writing"])


class Job(Revisioned):
    class State(models.TextChoices):
        WAITING = "waiting"
        HELD = "held"
        WRITING = "writing"
        MADE = "made"
        CANCELLED = "cancelled"

    OPEN = (State.WAITING, State.HELD, State.WRITING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reference = models.CharField(max_length=40, unique=True, help_text="Whose line this is, in the orderer's words.")
    shipment = models.ForeignKey(Shipment, on_delete=models.PROTECT, related_name="jobs")
    image = models.ForeignKey(Image, on_delete=models.PROTECT, related_name="+")
    title = models.CharField(max_length=200)
    part_number = models.CharField(max_length=40, blank=True)
    format = models.CharField(max_length=16, choices=CHOICES)
    copies = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    priority = models.PositiveSmallIntegerField(default=0, help_text="0 normal, 1 high.")
    due = models.DateTimeField(null=True, help_text="The latest instant to be made for the promised arrival to hold.")
    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING, editable=False)
    reason = models.CharField(max_length=200, blank=True, editable=False)
    rank = models.CharField(max_length=128, editable=False)
    ranked_by = models.CharField(max_length=220, default="", editable=False, help_text="Whose order its rank is.")
    work_seconds = models.FloatField(
        null=True,
        editable=False,
        help_text="What its discs take one drive; empty until the size of the image is known.",
    )
    put_first_at = models.DateTimeField(null=True, editable=False, help_text="When an operator put it before others.")
    received_at = models.DateTimeField()
    made_at = models.DateTimeField(null=True, editable=False)
    covered = models.PositiveIntegerField(default=0, editable=False, help_text="Discs made for it or under way.")
    lost = models.PositiveIntegerField(
        default=0, editable=False, help_text="Discs of it that went bad or unknown, and writes that were refused."
    )
    forgiven = models.PositiveIntegerField(default=0, editable=False, help_text="Bad discs an operator has looked at.")

    class Meta:
        ordering = ["rank"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "held", "writing", "made", "cancelled"]), name="job_state_known"
            ),
            models.CheckConstraint(condition=Q(copies__gt=0), name="job_copies_positive"),
            models.CheckConstraint(condition=Q(covered__lte=F("copies")), name="job_covered_no_more_than_ordered"),
            models.CheckConstraint(condition=~Q(state="held") | ~Q(reason=""), name="job_held_has_reason"),
        ]
        indexes = [
            models.Index(fields=["rank"], condition=OPEN_JOB, name="job_open_rank"),
            models.Index(fields=["state", "format", "rank"], name="job_head"),
            models.Index(fields=["received_at"], name="job_received"),
            models.Index(fields=["id"], condition=Q(revision__gt=F("revision_read")), name="job_unread"),
            # Whole ones: SQLite does not see from a list of states that a partial one would do.
            models.Index(fields=["state", "ranked_by"], name="job_ranked_by"),
            models.Index(fields=["state", "work_seconds"], name="job_work"),
        ]

    def __str__(self) -> str:
        return f"{self.reference} · {self.copies} × {self.title}"

    @property
    def wanting(self) -> int:
        """Discs that are neither made nor under way."""
        return self.copies - self.covered

    @property
    def about(self) -> dict[str, str]:
        """Names it in the log."""
        return {"job": str(self.pk), "order": self.order}

    @property
    def order(self) -> str:
        """The shipment's reference, which is the first part of its own."""
        return self.reference.partition("/")[0]


class JobEvent(LogEntry):
    """The log of a job."""

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="events")


class WriteShare(models.Model):
    """For whom a write's discs are. A console copy is a write without a share."""

    write = models.ForeignKey(Write, on_delete=models.PROTECT, related_name="shares")
    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="shares")
    copies = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["write", "job"], name="write_share_once"),
            models.CheckConstraint(condition=Q(copies__gt=0), name="write_share_copies_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.copies} for {self.job_id}"


class Allocation(models.Model):
    """This good disc is for that job, or lies in stock until one wants it. What was just made has none yet."""

    disc = models.OneToOneField(Disc, on_delete=models.PROTECT, related_name="allocation")
    job = models.ForeignKey(
        Job, on_delete=models.PROTECT, null=True, related_name="allocations", help_text="Empty: in stock."
    )
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.disc_id} for {self.job_id or 'stock'}"
