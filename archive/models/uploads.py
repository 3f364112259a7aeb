"""What staff send from their own computers: files that come piece by piece, and the image that is made of them.

States are written by `archive/uploads/lifecycle.py` only; nothing here reads or writes a file.
"""

from __future__ import annotations

import uuid
from typing import Final

from django.db import models
from django.db.models import F, Q, Sum

from archive.models.titles import Image


class UploadState(models.TextChoices):
    RECEIVING = "receiving"  # its files are coming
    WAITING = "waiting"  # all are there: to be made into an image, by anybody
    MAKING = "making"  # somebody holds the lease
    READY = "ready"  # its image is in the archive
    FAILED = "failed"  # no image can be made of it; the reason says why
    GIVEN_UP = "given-up"  # by a person, or because nothing came for a day


# From each state, where it may go; `lifecycle.py` has one function per edge.
UPLOAD_TRANSITIONS: Final[dict[UploadState, frozenset[UploadState]]] = {
    UploadState.RECEIVING: frozenset({UploadState.WAITING, UploadState.GIVEN_UP}),
    UploadState.WAITING: frozenset({UploadState.MAKING, UploadState.FAILED, UploadState.GIVEN_UP}),
    UploadState.MAKING: frozenset(
        {UploadState.MAKING, UploadState.READY, UploadState.FAILED, UploadState.WAITING, UploadState.GIVEN_UP}
    ),
    UploadState.FAILED: frozenset({UploadState.WAITING, UploadState.GIVEN_UP}),
    UploadState.READY: frozenset(),
    UploadState.GIVEN_UP: frozenset(),
}


class Upload(models.Model):
    """A disc image, a file, several or a folder, known by what it will hold before a byte of it has come."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    manifest = models.CharField(max_length=64, help_text="sha256 of its paths, sizes and dates: the same is resumed.")
    files_count = models.PositiveIntegerField()
    size = models.PositiveBigIntegerField(help_text="Bytes of all files.")
    state = models.CharField(max_length=12, choices=UploadState, default=UploadState.RECEIVING, editable=False)
    reason = models.TextField(blank=True, editable=False)
    lease_owner = models.CharField(max_length=100, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    tries = models.PositiveSmallIntegerField(default=0, editable=False)
    made = models.PositiveBigIntegerField(default=0, editable=False, help_text="Bytes of its image written so far.")
    image = models.ForeignKey(Image, on_delete=models.PROTECT, null=True, editable=False, related_name="uploads")
    by = models.CharField(max_length=100)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(help_text="Its files are removed if nothing comes until then.")
    ended_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-created_at", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=UploadState.values), name="upload_state_known"),
            models.CheckConstraint(condition=Q(files_count__gte=1), name="upload_has_files"),
            models.CheckConstraint(
                condition=~Q(state=UploadState.READY) | Q(image__isnull=False), name="upload_ready_has_image"
            ),
            models.CheckConstraint(
                condition=(Q(state=UploadState.MAKING, lease_until__isnull=False) & ~Q(lease_owner=""))
                | (~Q(state=UploadState.MAKING) & Q(lease_owner="", lease_until__isnull=True)),
                name="upload_leased_while_making",
            ),
            models.CheckConstraint(
                condition=~Q(state=UploadState.FAILED) | ~Q(reason=""), name="upload_failed_has_reason"
            ),
        ]
        indexes = [
            models.Index(
                name="upload_unfinished",
                fields=["created_at"],
                condition=~Q(state__in=[UploadState.READY, UploadState.GIVEN_UP]),
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def received(self) -> int:
        """Bytes that have come, as of the last piece of each file."""
        return int(self.files.aggregate(sum=Sum("received"))["sum"] or 0)

    @property
    def percent_made(self) -> int:
        """How far its image is; an image is a little larger than its files."""
        return min(100, 100 * self.made // max(1, self.size))


class UploadFile(models.Model):
    """One file on its way; its address is its id. The offset of the next byte is the size of what lies in staging."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="files")
    path = models.CharField(max_length=1000)
    size = models.PositiveBigIntegerField(help_text="Bytes.")
    received = models.PositiveBigIntegerField(default=0, help_text="Bytes.")
    modified_at = models.DateTimeField(null=True, help_text="Its date on its owner's computer, which the disc keeps.")

    class Meta:
        ordering = ["path"]
        constraints = [
            models.UniqueConstraint(name="upload_file_once", fields=["upload", "path"]),
            models.CheckConstraint(name="upload_file_received", condition=Q(received__lte=F("size"))),
        ]

    def __str__(self) -> str:
        return self.path
