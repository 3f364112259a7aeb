"""Titles by part number, their versions, and the images those are written from.

States are written by `lifecycle.py` only; nothing here reads or writes a file.
"""

from __future__ import annotations

from typing import Any, Final

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from archive.formats import Format, fitting, sectors

PART_NUMBER_PATTERN: Final = r"[A-Z0-9][A-Z0-9-]{0,31}"


class Kind(models.TextChoices):
    SOFTWARE = "software"
    MUSIC = "music"
    FILM = "film"
    DATA = "data"


class Layout(models.TextChoices):
    ISO = "iso", "ISO"
    AUDIO = "audio"


class ImageState(models.TextChoices):
    WAITING = "waiting"  # to be made, by anybody
    MASTERING = "mastering"  # somebody holds the lease
    READY = "ready"  # made, checked and stored
    FAILED = "failed"  # can't be made; the reason says why


# From each state, where it may go; `lifecycle.py` has one function per edge.
TRANSITIONS: Final[dict[ImageState, frozenset[ImageState]]] = {
    ImageState.WAITING: frozenset({ImageState.MASTERING}),  # claimed
    ImageState.MASTERING: frozenset(
        {
            ImageState.MASTERING,  # renewed, or taken over when the lease ran out
            ImageState.READY,  # settled
            ImageState.FAILED,  # given up
            ImageState.WAITING,  # released
        }
    ),
    ImageState.FAILED: frozenset({ImageState.WAITING}),  # added again
    ImageState.READY: frozenset(),
}


class Title(models.Model):
    """What is sold under a part number: a song, a film, a program."""

    part_number = models.CharField(
        max_length=32,
        unique=True,
        validators=[RegexValidator(rf"^{PART_NUMBER_PATTERN}\Z", "Use capital letters, digits and hyphens.")],
    )
    title = models.CharField(max_length=200)
    who = models.CharField(max_length=200, blank=True, help_text="Artist, director or maker.")
    kind = models.CharField(max_length=16, choices=Kind)
    description = models.TextField(blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["part_number"]
        constraints = [
            models.CheckConstraint(name="title_kind_known", condition=Q(kind__in=Kind.values)),
            models.CheckConstraint(name="title_named", condition=~Q(part_number="") & ~Q(title="")),
        ]

    def __str__(self) -> str:
        return f"{self.part_number} {self.title}"

    @property
    def newest(self) -> TitleVersion | None:
        """The version that sells now."""
        return self.versions.select_related("image").order_by("-number").first()


class Image(models.Model):
    """One disc image: known by its recipe before it is made, by its sha256 afterwards."""

    recipe = models.CharField(max_length=64, unique=True, help_text="sha256 of everything it is made from.")
    sha256 = models.CharField(max_length=64, unique=True, null=True, blank=True)
    size = models.BigIntegerField(null=True, blank=True, help_text="Bytes.")
    layout = models.CharField(max_length=8, choices=Layout, default=Layout.ISO)
    volume_name = models.CharField(max_length=32, blank=True)
    state = models.CharField(max_length=16, choices=ImageState, default=ImageState.WAITING)
    lease_owner = models.CharField(max_length=100, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(blank=True, help_text="Why it can't be made.")
    tries = models.PositiveSmallIntegerField(default=0, help_text="How often making it was begun and never ended.")
    source = models.TextField(help_text="Path of the folder or disc image it is made from.")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(
                name="image_to_make",
                fields=["created_at"],
                condition=Q(state__in=[ImageState.WAITING, ImageState.MASTERING]),
            )
        ]
        constraints = [
            models.CheckConstraint(name="image_layout_known", condition=Q(layout__in=Layout.values)),
            models.CheckConstraint(name="image_state_known", condition=Q(state__in=ImageState.values)),
            models.CheckConstraint(
                name="image_ready_is_known",
                # A check that comes out NULL passes, so a size that may be NULL is asked for twice.
                condition=Q(state=ImageState.READY, sha256__isnull=False, size__isnull=False, size__gt=0)
                | (~Q(state=ImageState.READY) & Q(sha256__isnull=True, size__isnull=True)),
            ),
            models.CheckConstraint(
                name="image_leased_while_mastering",
                condition=(Q(state=ImageState.MASTERING, lease_until__isnull=False) & ~Q(lease_owner=""))
                | (~Q(state=ImageState.MASTERING) & Q(lease_owner="", lease_until__isnull=True)),
            ),
            models.CheckConstraint(
                name="image_failed_has_reason", condition=~Q(state=ImageState.FAILED) | ~Q(reason="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.volume_name or self.layout} {(self.sha256 or self.recipe)[:12]} ({self.state})"

    @property
    def formats(self) -> tuple[Format, ...]:
        """The formats it fits; none while it isn't made."""
        return fitting(self.size) if self.size is not None else ()

    @property
    def sectors(self) -> int | None:
        return sectors(self.size) if self.size is not None else None


class TitleVersion(models.Model):
    """What a title was at one time. Never changes: an order keeps the version it was placed for."""

    title = models.ForeignKey(Title, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    image = models.ForeignKey(Image, on_delete=models.PROTECT, related_name="versions")
    files = models.PositiveIntegerField(null=True, blank=True, help_text="Empty for a finished disc image.")
    note = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["title", "-number"]
        constraints = [
            models.UniqueConstraint(name="title_version_number", fields=["title", "number"]),
            models.CheckConstraint(name="title_version_from_one", condition=Q(number__gte=1)),
        ]

    def __str__(self) -> str:
        return f"{self.title} v{self.number}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("A TitleVersion never changes; add a new version instead.")
        super().save(*args, **kwargs)

    @property
    def formats(self) -> tuple[Format, ...]:
        """The formats it can be ordered on."""
        return self.image.formats
