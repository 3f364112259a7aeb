"""When the shop works, when carriers collect, and how long they take. Edited in the admin."""

from __future__ import annotations

import datetime as dt

from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models

WEEKDAYS = RegexValidator(r"^1?2?3?4?5?6?7?$", "Weekdays as digits in order, 1 is Monday: «12345».")


class Calendar(models.Model):
    """The shop's working days and hours, in the shop's zone, and how long packing takes."""

    name = models.CharField(max_length=60, unique=True)
    working_days = models.CharField(max_length=7, default="12345", validators=[WEEKDAYS])
    opens = models.TimeField(default=dt.time(8, 0))
    closes = models.TimeField(default=dt.time(18, 0))
    packing_minutes = models.PositiveSmallIntegerField(default=30, validators=[MaxValueValidator(24 * 60)])

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(opens__lt=models.F("closes")), name="calendar_opens_first"),
        ]

    def __str__(self) -> str:
        return self.name


class ClosingDay(models.Model):
    """A day on which nobody packs."""

    calendar = models.ForeignKey(Calendar, on_delete=models.CASCADE, related_name="closing_days")
    date = models.DateField()
    name = models.CharField(max_length=60)

    class Meta:
        ordering = ["date"]
        constraints = [models.UniqueConstraint(fields=["calendar", "date"], name="closing_day_once")]

    def __str__(self) -> str:
        return f"{self.date:%Y-%m-%d} {self.name}"


class Carrier(models.Model):
    name = models.CharField(max_length=60, unique=True)

    def __str__(self) -> str:
        return self.name


class Service(models.Model):
    """A way to ship: when the carrier collects, and how many of its delivery days it takes."""

    key = models.SlugField(unique=True)
    carrier = models.ForeignKey(Carrier, on_delete=models.PROTECT, related_name="services")
    name = models.CharField(max_length=60)
    cut_off = models.TimeField(help_text="Parcels packed by then go with the day's collection (the shop's zone).")
    collection_days = models.CharField(max_length=7, default="12345", validators=[WEEKDAYS])
    delivery_days = models.CharField(max_length=7, default="123456", validators=[WEEKDAYS])
    transit_days = models.PositiveSmallIntegerField("transit days at home")
    transit_days_abroad = models.PositiveSmallIntegerField(null=True, blank=True, help_text="Empty: home only.")
    price_minor = models.PositiveIntegerField("price at home")
    price_minor_abroad = models.PositiveIntegerField("price abroad", default=0)
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ["price_minor", "key"]

    def __str__(self) -> str:
        return self.name
