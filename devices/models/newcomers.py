"""Agents on their way in: codes that let one enrol, and those that were seen on the network."""

from __future__ import annotations

from django.db import models

from .writers import Writer


class EnrolmentCode(models.Model):
    """Lets one agent enrol, once, for 15 minutes. Only the sha256 of the code is kept."""

    code_sha256 = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=80, blank=True, default="", help_text="What the writer is to be called.")
    made_by = models.CharField(max_length=100)
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    for_writer = models.ForeignKey(
        Writer,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        help_text="Whose agent is to enrol anew; empty: it makes a new writer.",
    )
    writer = models.ForeignKey(Writer, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"code of {self.made_at:%d %b %H:%M} by {self.made_by}"


class Sighting(models.Model):
    """An agent that said over mDNS, or when it was called, what it is. Nobody has checked a word of it."""

    address = models.CharField(max_length=300, unique=True, help_text="http://host:port, the host as an IP address")
    name = models.CharField(max_length=200, blank=True, default="")
    kind = models.CharField(max_length=64, blank=True, default="")
    writer_uuid = models.UUIDField(null=True, blank=True, help_text="Empty while it is enrolled nowhere.")
    disks = models.PositiveIntegerField(default=0)
    sources = models.PositiveIntegerField(default=0)
    copiers = models.PositiveIntegerField(default=0)
    by = models.CharField(max_length=16, help_text="mdns or address")
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()

    class Meta:
        ordering = ["name", "address"]

    def __str__(self) -> str:
        return f"{self.name or 'agent'} at {self.address}"
