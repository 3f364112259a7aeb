"""What was decided above and is to be carried out at an agent: images to have or to drop, orders to a drive."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from devices.agent import wire
from devices.states import RequestState

from .rules import one_of
from .writers import Writer


class Request(models.Model):
    """Open until its agent has done it. Repeating one costs nothing."""

    state = models.CharField(max_length=16, choices=RequestState, default=RequestState.OPEN)
    reason = models.TextField(blank=True, default="", help_text="What it waits for, or how it ended.")
    asked_by = models.CharField(max_length=100)
    asked_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    retry_at = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveIntegerField(default=0)

    class Meta:
        abstract = True


class ImageRequest(Request):
    """Have an image on the writer's disk (`have`), or off it (`drop`)."""

    class Wish(models.TextChoices):
        HAVE = "have"
        DROP = "drop"

    writer = models.ForeignKey(Writer, on_delete=models.CASCADE, related_name="image_requests")
    wish = models.CharField(max_length=8, choices=Wish)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField(help_text="Bytes.")
    layout = models.CharField(max_length=16)
    title = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        ordering = ["-id"]
        constraints = [
            one_of("state", RequestState.values, "devices_image_request_state"),
            one_of("wish", ("have", "drop"), "devices_image_request_wish"),
            models.UniqueConstraint(
                fields=["writer", "sha256"], condition=Q(state="open"), name="devices_image_request_open_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.wish} {self.sha256[:12]} on {self.writer}"


class DriveOrder(Request):
    """An operator's word to one drive; `serial` names the disc that was taken out, so that a repeat means no other."""

    writer = models.ForeignKey(Writer, on_delete=models.CASCADE, related_name="drive_orders")
    drive = models.CharField(max_length=64)
    verb = models.CharField(max_length=16, choices=[(verb.value, verb.value) for verb in wire.DriveVerb])
    serial = models.CharField(max_length=32, blank=True, default="")

    class Meta:
        ordering = ["-id"]
        constraints = [
            one_of("state", RequestState.values, "devices_drive_order_state"),
            one_of("verb", (verb.value for verb in wire.DriveVerb), "devices_drive_order_verb"),
        ]
        indexes = [models.Index(fields=["writer", "id"], condition=Q(state="open"), name="devices_drive_order_open")]

    def __str__(self) -> str:
        return f"{self.verb} {self.drive} of {self.writer}"
