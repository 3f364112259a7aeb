"""A writer (one agent), its drives and printers, and the images on its disk."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Q

from devices.agent import wire
from devices.states import BLOCKING, DEAF, HALTING, SUSPECT_AFTER, DriveState, WriterState
from devices.wear import Counted, Level, Limits, Wear, judge

from .rules import one_of


class Writer(models.Model):
    """One agent: a machine with drives, or a robot. `reasons` is a list of {keyword, text, since}."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=80, unique=True)
    kind = models.CharField(max_length=64, default="xorriso", help_text="The agent's driver.")
    address = models.CharField(max_length=300, help_text="Where its agent listens: http://host:port")
    enabled = models.BooleanField(default=True, help_text="Off: its reports and fetches are refused too.")
    disabled_why = models.CharField(max_length=200, blank=True, default="")
    disabled_who = models.CharField(max_length=100, blank=True, default="")
    disabled_since = models.DateTimeField(null=True, blank=True)
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
    low_blanks = models.PositiveIntegerField(
        null=True, blank=True, default=10, help_text="Blanks of a format from which on it says media-low; empty: never."
    )
    disk_capacity = models.PositiveBigIntegerField(null=True, blank=True)
    disk_free = models.PositiveBigIntegerField(null=True, blank=True)
    images_digest = models.CharField(max_length=128, blank=True, default="")

    # How long a person lets its hand-fed drives wait (devices/hand_waits.py learns it); empty until the first wait.
    blank_wait = models.FloatField(null=True, blank=True, help_text="Seconds until a blank is put in.")
    blank_waits = models.PositiveIntegerField(default=0)
    take_out_wait = models.FloatField(null=True, blank=True, help_text="Seconds until a disc is taken out.")
    take_out_waits = models.PositiveIntegerField(default=0)

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

    def is_fresh(self, now: datetime) -> bool:
        """Whether its facts are of now, as far as reports are taken."""
        heard = self.last_seen is not None and now - self.last_seen <= SUSPECT_AFTER
        return heard and not any(reason["keyword"] in DEAF for reason in self.reasons)

    @property
    def revoked(self) -> bool:
        """Whether its tokens hold no more: only a new enrolment brings it back."""
        return not self.report_token_sha256

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
    wants_since = models.DateTimeField(null=True, blank=True, help_text="Since when it waits for a person.")
    gone = models.BooleanField(default=False, help_text="Its agent no longer names it; its counters are kept.")

    # Held for a copy that a person started by hand: the planner leaves it alone.
    held_for = models.CharField(max_length=64, blank=True, default="")
    held_by = models.CharField(max_length=100, blank=True, default="")
    held_since = models.DateTimeField(null=True, blank=True)

    # Counted for the drive's life; what it was at the last service is taken off for the thresholds.
    discs = models.PositiveBigIntegerField(default=0, help_text="Discs begun.")
    failures = models.PositiveBigIntegerField(default=0, help_text="Discs that ended bad or unknown.")
    seconds = models.PositiveBigIntegerField(default=0, help_text="Time spent on discs.")
    blocked_at = models.DateTimeField(null=True, blank=True, help_text="Since when its thresholds keep it from work.")
    serviced_at = models.DateTimeField(null=True, blank=True)
    serviced_by = models.CharField(max_length=100, blank=True, default="")
    discs_at_service = models.PositiveBigIntegerField(default=0)
    failures_at_service = models.PositiveBigIntegerField(default=0)
    seconds_at_service = models.PositiveBigIntegerField(default=0)
    warn_discs = models.PositiveIntegerField(null=True, blank=True)
    block_discs = models.PositiveIntegerField(null=True, blank=True)
    warn_failures = models.PositiveIntegerField(null=True, blank=True)
    block_failures = models.PositiveIntegerField(null=True, blank=True)
    warn_hours = models.PositiveIntegerField(null=True, blank=True)
    block_hours = models.PositiveIntegerField(null=True, blank=True)

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

    @property
    def since_service(self) -> Counted:
        return Counted(
            self.discs - self.discs_at_service,
            self.failures - self.failures_at_service,
            (self.seconds - self.seconds_at_service) / 3600,
        )

    @property
    def warn(self) -> Limits:
        return Limits(self.warn_discs, self.warn_failures, self.warn_hours)

    @property
    def block(self) -> Limits:
        return Limits(self.block_discs, self.block_failures, self.block_hours)

    @property
    def wear(self) -> Wear:
        return judge(self.since_service, self.warn, self.block)

    @property
    def takes_work(self) -> bool:
        """Whether the planner may give it discs: a copier that is there, in order, and held by nobody."""
        usable = self.state in {DriveState.IDLE, DriveState.BUSY} and not self.gone
        is_copier = self.role == wire.Role.COPIER
        return is_copier and usable and not self.held_for and not self._is_worn_out

    @property
    def _is_worn_out(self) -> bool:
        limits = (self.block_discs, self.block_failures, self.block_hours)
        return limits != (None, None, None) and self.wear.level is Level.BLOCK


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
