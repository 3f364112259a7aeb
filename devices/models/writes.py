"""Writes (one image, n discs, one writer) and the discs that come of them."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from devices.agent import wire
from devices.states import WRITE_FINAL, WRITE_OPEN, DiscState, WriteState

from .blanks import BlankBin
from .rules import one_of
from .writers import Writer


class Write(models.Model):
    """One command to one writer. The app above reads rows whose `revision` exceeds `revision_read`."""

    uuid = models.UUIDField(unique=True, editable=False)
    writer = models.ForeignKey(Writer, on_delete=models.PROTECT, related_name="writes")
    image_sha256 = models.CharField(max_length=64)
    image_size = models.PositiveBigIntegerField(help_text="Bytes.")
    layout = models.CharField(max_length=16)
    format = models.CharField(max_length=16)
    title = models.CharField(max_length=200)
    drive = models.CharField(max_length=64, blank=True, default="", help_text="Empty: the agent chooses.")
    verify = models.BooleanField(default=True)
    speed = models.CharField(max_length=16, blank=True, default="")
    copies = models.PositiveIntegerField()
    reference = models.CharField(
        max_length=200, blank=True, default="", help_text="Whose it is, in the words of the floor above; for logs."
    )

    state = models.CharField(max_length=16, choices=WriteState, default=WriteState.QUEUED)
    reason = models.TextField(blank=True, default="", help_text="What it waits for, or how it ended.")
    problem = models.CharField(
        max_length=32, blank=True, default="", help_text="Why its agent refused it for good; a keyword."
    )
    cancel_requested = models.BooleanField(default=False)
    cancel_sent_at = models.DateTimeField(null=True, blank=True)  # the agent answered the cancellation
    queued_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveIntegerField(default=0)  # how often the agent refused it or failed its image
    retry_at = models.DateTimeField(null=True, blank=True)
    missing_since = models.DateTimeField(null=True, blank=True)  # accepted, yet not in the newest report

    waits_there = models.BooleanField(default=False)  # final here, and the newest report has discs of it that wait

    revision = models.PositiveBigIntegerField(default=1)
    revision_read = models.PositiveBigIntegerField(default=0)
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            one_of("state", WriteState.values, "devices_write_state"),
            one_of("layout", ("iso", "audio"), "devices_write_layout"),
            one_of("format", wire.FORMATS, "devices_write_format"),
            models.CheckConstraint(condition=Q(copies__gte=1), name="devices_write_copies"),
            models.CheckConstraint(condition=Q(image_size__gte=1), name="devices_write_image_size"),
            models.CheckConstraint(condition=Q(revision__gte=F("revision_read")), name="devices_write_revision"),
        ]
        indexes = [
            models.Index(
                fields=["changed_at", "id"],
                condition=Q(revision__gt=F("revision_read")),
                name="devices_write_unread",
            ),
            models.Index(fields=["writer", "id"], condition=Q(state__in=sorted(WRITE_OPEN)), name="devices_write_open"),
            models.Index(fields=["writer"], condition=Q(waits_there=True), name="devices_write_waits_there"),
            models.Index(fields=["image_sha256"], name="devices_write_image"),
        ]

    def __str__(self) -> str:
        return f"{self.title} × {self.copies}"

    @property
    def about(self) -> dict[str, str]:
        """Names it in the log."""
        return {"write": str(self.uuid), "order": self.reference}

    @property
    def final(self) -> bool:
        return self.state in WRITE_FINAL


class Disc(models.Model):
    """One physical disc, from its plan to its result. Times are the agent's, `final_at` is ours."""

    serial = models.CharField(max_length=32, unique=True)
    write = models.ForeignKey(Write, on_delete=models.PROTECT, related_name="discs")
    face_sha256 = models.CharField(max_length=64, blank=True, default="")
    state = models.CharField(max_length=16, choices=DiscState, default=DiscState.PLANNED)
    drive = models.CharField(max_length=64, blank=True, default="")
    bin = models.ForeignKey(BlankBin, on_delete=models.SET_NULL, null=True, blank=True, related_name="discs")
    blame = models.CharField(max_length=16, blank=True, default="")
    reason = models.TextField(blank=True, default="")
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    final_at = models.DateTimeField(null=True, blank=True)
    verified = models.CharField(max_length=16, default=wire.Verified.NONE.value)
    spoilt = models.PositiveIntegerField(default=0, help_text="Blanks a robot threw away on its way to this.")

    class Meta:
        ordering = ["id"]
        constraints = [
            one_of("state", DiscState.values, "devices_disc_state"),
            one_of("blame", ("", *(blame.value for blame in wire.Blame)), "devices_disc_blame"),
            one_of("verified", (verified.value for verified in wire.Verified), "devices_disc_verified"),
        ]
        indexes = [
            models.Index(fields=["write", "state"], name="devices_disc_of_write"),
            models.Index(fields=["state", "final_at"], name="devices_disc_made"),
        ]

    def __str__(self) -> str:
        return self.serial
