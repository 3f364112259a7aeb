"""Reads: copies of the disc in a source drive to an image on that writer's disk."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from devices.states import READ_FINAL, READ_OPEN, ReadState

from .rules import one_of
from .writers import Writer


class Read(models.Model):
    """One command to one source drive. Done, it names the image by its digest, which lies on that writer's disk only.

    The app above reads rows whose `revision` exceeds `revision_read`.
    """

    uuid = models.UUIDField(unique=True, editable=False)
    writer = models.ForeignKey(Writer, on_delete=models.PROTECT, related_name="reads")
    drive = models.CharField(max_length=64)
    state = models.CharField(max_length=16, choices=ReadState, default=ReadState.QUEUED)
    reason = models.TextField(blank=True, default="", help_text="What it waits for, or why it failed.")
    asked_by = models.CharField(max_length=100)
    cancel_requested = models.BooleanField(default=False)
    cancel_sent_at = models.DateTimeField(null=True, blank=True)  # the agent answered the cancellation
    queued_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    retry_at = models.DateTimeField(null=True, blank=True)
    missing_since = models.DateTimeField(null=True, blank=True)  # accepted, yet not in the newest report

    sha256 = models.CharField(max_length=64, blank=True, default="")
    size = models.PositiveBigIntegerField(null=True, blank=True, help_text="Bytes.")
    layout = models.CharField(max_length=16, blank=True, default="")

    revision = models.PositiveBigIntegerField(default=1)
    revision_read = models.PositiveBigIntegerField(default=0)
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            one_of("state", ReadState.values, "devices_read_state"),
            models.CheckConstraint(
                condition=~Q(state=ReadState.DONE) | (~Q(sha256="") & Q(size__gte=1) & ~Q(layout="")),
                name="devices_read_done_has_image",
            ),
            models.CheckConstraint(condition=Q(revision__gte=F("revision_read")), name="devices_read_revision"),
        ]
        indexes = [
            models.Index(
                fields=["changed_at", "id"], condition=Q(revision__gt=F("revision_read")), name="devices_read_unread"
            ),
            models.Index(fields=["writer", "id"], condition=Q(state__in=sorted(READ_OPEN)), name="devices_read_open"),
        ]

    def __str__(self) -> str:
        return f"read of {self.drive} in {self.writer}"

    @property
    def final(self) -> bool:
        return self.state in READ_FINAL
