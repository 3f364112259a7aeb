"""Copies that staff start by hand at the console: one image on one writer, outside all orders.

States are written by `fulfillment/console/lifecycle.py` alone.
"""

from __future__ import annotations

import uuid
from typing import Any, Final

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.urls import reverse

from archive.formats import CHOICES
from devices.models import ImageRequest, Read, Write, Writer
from fulfillment.models.log import LogEntry, Revisioned

# The words of `Copy.State`, for constraints: a class inside a class can't see its neighbours.
_OPEN: Final = ["asked", "reading", "bringing", "sending", "writing"]
_ENDED: Final = ["done", "failed", "unknown", "cancelled"]


class Copy(Revisioned):
    """`id` is made with the form that starts it, so that two clicks are one copy.

    Its drives are held from the first moment to the end, which stays unread until somebody has said «seen».
    """

    class State(models.TextChoices):
        ASKED = "asked"  # the row stands and its drives are held; nothing has begun
        READING = "reading"  # a source drive copies its disc to its writer's disk
        BRINGING = "bringing"  # what was read comes from that writer into the archive
        SENDING = "sending"  # the image goes to the writer's disk until all of it is there
        WRITING = "writing"
        DONE = "done"  # every disc was read back and is good
        FAILED = "failed"  # the reason says why and what next
        UNKNOWN = "unknown"  # nobody knows how far a disc got: somebody looks at it
        CANCELLED = "cancelled"

    class Origin(models.TextChoices):
        TITLE = "title", "a title"
        UPLOAD = "upload", "an upload"
        DISK = "disk", "the writer's disk"
        DRIVE = "drive", "a disc in a source drive"

    OPEN = (State.ASKED, State.READING, State.BRINGING, State.SENDING, State.WRITING)
    ENDED = (State.DONE, State.FAILED, State.UNKNOWN, State.CANCELLED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    writer = models.ForeignKey(Writer, on_delete=models.PROTECT, related_name="copies")
    drives: models.JSONField[Any, list[str]] = models.JSONField(help_text="The copiers that share it, by name.")
    format = models.CharField(max_length=16, choices=CHOICES)
    copies = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    title = models.CharField(max_length=200)
    origin = models.CharField(max_length=8, choices=Origin)
    what = models.CharField(max_length=200, help_text="The choice at the console: «title:12» and the like.")

    # The image; of a disc that is still to be read nobody knows it yet.
    image_sha256 = models.CharField(max_length=64, blank=True)
    image_size = models.PositiveBigIntegerField(null=True, help_text="Bytes.")
    layout = models.CharField(max_length=8, blank=True)
    source_writer = models.ForeignKey(Writer, on_delete=models.PROTECT, null=True, related_name="+")
    source_drive = models.CharField(max_length=64, blank=True)

    state = models.CharField(max_length=12, choices=State.choices, default=State.ASKED, editable=False)
    reason = models.TextField(blank=True, editable=False, help_text="What it waits for, or how it ended.")
    cancelled_by = models.CharField(max_length=100, blank=True, editable=False)
    read = models.ForeignKey(Read, on_delete=models.PROTECT, null=True, editable=False, related_name="copies")
    request = models.ForeignKey(ImageRequest, on_delete=models.SET_NULL, null=True, editable=False, related_name="+")

    asked_by = models.CharField(max_length=100)
    email = models.EmailField(blank=True, help_text="Who is told of the end: the address at that time.")
    asked_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, editable=False)
    seen_by = models.CharField(max_length=100, blank=True, editable=False)
    seen_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-asked_at", "id"]
        verbose_name_plural = "copies"
        constraints = [
            models.CheckConstraint(condition=Q(state__in=[*_OPEN, *_ENDED]), name="copy_state_known"),
            models.CheckConstraint(
                condition=Q(origin__in=["title", "upload", "disk", "drive"]), name="copy_origin_known"
            ),
            models.CheckConstraint(condition=Q(copies__gt=0), name="copy_copies_positive"),
            models.CheckConstraint(
                condition=~Q(state__in=["sending", "writing", "done"])
                | (~Q(image_sha256="") & Q(image_size__isnull=False) & ~Q(layout="")),
                name="copy_sent_has_image",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["failed", "unknown"]) | ~Q(reason=""), name="copy_failed_has_reason"
            ),
        ]
        indexes = [
            models.Index(fields=["asked_at"], condition=Q(state__in=_OPEN), name="copy_open"),
            models.Index(fields=["id"], condition=Q(revision__gt=F("revision_read")), name="copy_unread"),
            models.Index(fields=["ended_at"], condition=Q(ended_at__isnull=False, seen_at=None), name="copy_unseen"),
        ]

    def __str__(self) -> str:
        return f"{self.copies} × {self.title} in {self.writer}"

    def get_absolute_url(self) -> str:
        return reverse("console-copy", args=[self.pk])

    @property
    def reference(self) -> str:
        """Names its writes in logs, as an order's number does."""
        return f"copy-{str(self.pk)[:8]}"

    @property
    def about(self) -> dict[str, str]:
        """Names it in the log."""
        return {"copy": str(self.pk), "order": self.reference}

    @property
    def is_open(self) -> bool:
        return self.state in self.OPEN


class CopyWrite(models.Model):
    """One drive's share of a copy, as devices has it. It has no `WriteShare`: its discs are nobody's stock."""

    copy = models.ForeignKey(Copy, on_delete=models.PROTECT, related_name="parts")
    write = models.OneToOneField(Write, on_delete=models.PROTECT, related_name="copy_part")

    def __str__(self) -> str:
        return f"{self.write} for {self.copy_id}"


class CopyEvent(LogEntry):
    """The log of a copy."""

    copy = models.ForeignKey(Copy, on_delete=models.PROTECT, related_name="events")


class ImageFetch(models.Model):
    """An image that lies on a writer's disk alone and is to come into the archive: under a lease, as mastering is."""

    class State(models.TextChoices):
        WAITING = "waiting"  # for anybody who brings it, from `next_try_at` on
        FETCHING = "fetching"  # somebody holds the lease
        READY = "ready"
        FAILED = "failed"
        CANCELLED = "cancelled"  # no copy wants it any more

    OPEN = (State.WAITING, State.FETCHING)

    writer = models.ForeignKey(Writer, on_delete=models.CASCADE, related_name="+", help_text="Whose disk it lies on.")
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField(help_text="Bytes.")
    layout = models.CharField(max_length=8)
    received = models.PositiveBigIntegerField(default=0, help_text="Bytes that are here.")
    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING, editable=False)
    reason = models.TextField(blank=True, editable=False)
    lease_owner = models.CharField(max_length=100, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    tries = models.PositiveSmallIntegerField(default=0, editable=False, help_text="Begun and never ended.")
    failures = models.PositiveSmallIntegerField(default=0, editable=False, help_text="Calls that failed in a row.")
    next_try_at = models.DateTimeField(editable=False)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "image fetches"
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "fetching", "ready", "failed", "cancelled"]),
                name="image_fetch_state_known",
            ),
            models.UniqueConstraint(
                fields=["sha256"], condition=Q(state__in=["waiting", "fetching"]), name="image_fetch_open_once"
            ),
            models.CheckConstraint(
                condition=(Q(state="fetching", lease_until__isnull=False) & ~Q(lease_owner=""))
                | (~Q(state="fetching") & Q(lease_owner="", lease_until__isnull=True)),
                name="image_fetch_leased_while_fetching",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sha256[:12]} from {self.writer}"
