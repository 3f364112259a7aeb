"""A writer (one agent), its drives and printers, and the images on its disk."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models
from django.db.models import Q

from devices.agent import wire
from devices.states import BLOCKING, HALTING, DriveState, WriterState

from .rules import one_of


class Writer(models.Model):
    """One agent: a machine with drives, or a robot. `reasons` is a list of {keyword, text, since}."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=80, unique=True)
    kind = models.CharField(max_length=64, default="xorriso", help_text="The agent's driver.")
    address = models.CharField(max_length=300, help_text="Where its agent listens: http://host:port")
    enabled = models.BooleanField(default=True, help_text="Off: its reports and fetches are refused too.")
    created_at = models.DateTimeField()

    # Command tokens are derived from the generation; two of them count while one is rotated.
    generation = models.PositiveIntegerField(default=1)
    generation_confirmed = models.PositiveIntegerField(default=1)
    report_token_sha256 = models.CharField(max_length=64)
    report_token_old_sha256 = models.CharField(max_length=64, blank=True, default="")
    report_token_wanted = models.BooleanField(default=False)

    state = models.CharField(max_length=16, choices=WriterState, default=WriterState.OFFLINE)
    reasons: models.JSONField[Any, list[dict[str, str]]] = models.JSONField(default=list, blank=True)
    settled = models.PositiveBigIntegerField(default=0)  # +1 with each change of state or reasons
    draining = models.BooleanField(default=False)
    draining_why = models.CharField(max_length=200, blank=True, default="")
    draining_who = models.CharField(max_length=100, blank=True, default="")
    draining_since = models.DateTimeField(null=True, blank=True)
    maintenance = models.BooleanField(default=False)
    maintenance_why = models.CharField(max_length=200, blank=True, default="")
    maintenance_who = models.CharField(max_length=100, blank=True, default="")
    maintenance_since = models.DateTimeField(null=True, blank=True)

    # What the agent says of itself.
    journal_id = models.UUIDField(null=True, blank=True)
    boot_id = models.UUIDField(null=True, blank=True)
    sequence = models.PositiveBigIntegerField(default=0)
    last_seen = models.DateTimeField(null=True, blank=True)
    software = models.CharField(max_length=100, blank=True, default="")
    protocol = models.PositiveIntegerField(default=0)
    disk_capacity = models.PositiveBigIntegerField(null=True, blank=True)
    disk_free = models.PositiveBigIntegerField(null=True, blank=True)
    images_digest = models.CharField(max_length=128, blank=True, default="")

    # The newest report that was answered 409: what an operator's resume adopts.
    refused_journal_id = models.UUIDField(null=True, blank=True)
    refused_boot_id = models.UUIDField(null=True, blank=True)
    refused_sequence = models.PositiveBigIntegerField(null=True, blank=True)

    # Calls to the agent: how often in a row they failed, when the next may be made, who makes them now.
    failures = models.PositiveIntegerField(default=0)
    retry_at = models.DateTimeField(null=True, blank=True)
    attended_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [one_of("state", WriterState.values, "devices_writer_state")]

    def __str__(self) -> str:
        return self.name

    @property
    def halted(self) -> str | None:
        """The keyword that only an operator's resume ends, or None."""
        return next((reason["keyword"] for reason in self.reasons if reason["keyword"] in HALTING), None)

    @property
    def takes_work(self) -> bool:
        """Whether writes may be sent to it. Planners ask `state` as well: one offline takes nothing now."""
        if not self.enabled or self.draining or self.maintenance:
            return False
        return not any(reason["keyword"] in BLOCKING for reason in self.reasons)


class WriterBoot(models.Model):
    """One start of an agent. One that was superseded and reports again is a second agent."""

    writer = models.ForeignKey(Writer, on_delete=models.CASCADE, related_name="boots")
    boot_id = models.UUIDField()
    since = models.DateTimeField()
    superseded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["writer", "boot_id"], name="devices_boot_once")]

    def __str__(self) -> str:
        return str(self.boot_id)


class Drive(models.Model):
    """A drive as its agent last described it; formats and kinds are lists of keywords."""

    writer = models.ForeignKey(Writer, on_delete=models.CASCADE, related_name="drives")
    ident = models.CharField(max_length=64)
    role = models.CharField(max_length=16, default=wire.Role.COPIER.value)
    feed = models.CharField(max_length=16, default=wire.Feed.ROBOT.value)
    formats: models.JSONField[Any, list[str]] = models.JSONField(default=list)
    kinds: models.JSONField[Any, list[str]] = models.JSONField(default=list)
    state = models.CharField(max_length=16, choices=DriveState, default=DriveState.OFFLINE)
    reasons: models.JSONField[Any, list[str]] = models.JSONField(default=list, blank=True)
    progress = models.FloatField(null=True, blank=True)  # 0 to 1
    serial = models.CharField(max_length=32, blank=True, default="")
    wants = models.CharField(max_length=16, blank=True, default="")

    class Meta:
        ordering = ["writer", "ident"]
        constraints = [
            models.UniqueConstraint(fields=["writer", "ident"], name="devices_drive_once"),
            one_of("state", DriveState.values, "devices_drive_state"),
            one_of("role", (role.value for role in wire.Role), "devices_drive_role"),
            one_of("feed", (feed.value for feed in wire.Feed), "devices_drive_feed"),
            one_of("wants", ("", "blank", "take-out"), "devices_drive_wants"),
            models.CheckConstraint(
                condition=Q(progress__isnull=True) | Q(progress__gte=0, progress__lte=1),
                name="devices_drive_progress",
            ),
        ]

    def __str__(self) -> str:
        return self.ident


class Printer(models.Model):
    """A disc printer inside a robot; `supplies` is a list of {name, percent}."""

    writer = models.ForeignKey(Writer, on_delete=models.CASCADE, related_name="printers")
    ident = models.CharField(max_length=64)
    state = models.CharField(max_length=32)
    supplies: models.JSONField[Any, list[dict[str, Any]]] = models.JSONField(default=list, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["writer", "ident"], name="devices_printer_once")]

    def __str__(self) -> str:
        return self.ident


class CachedImage(models.Model):
    """An image on a writer's disk, as the agent last said."""

    writer = models.ForeignKey(Writer, on_delete=models.CASCADE, related_name="images")
    sha256 = models.CharField(max_length=64)
    layout = models.CharField(max_length=16)
    size = models.PositiveBigIntegerField()
    state = models.CharField(max_length=16)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["writer", "sha256"], name="devices_image_once"),
            one_of("layout", (layout.value for layout in wire.Layout), "devices_image_layout"),
            one_of("state", (state.value for state in wire.ImageState), "devices_image_state"),
        ]
        indexes = [models.Index(fields=["sha256"], name="devices_image_sha256")]

    def __str__(self) -> str:
        return f"{self.sha256[:12]} on {self.writer}"
