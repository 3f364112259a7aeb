"""When the shop works. Edited in the admin; the public holidays of its country come from a library, not from here."""

from __future__ import annotations

import datetime as dt

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models

WEEKDAYS = RegexValidator(r"^1?2?3?4?5?6?7?$", "Weekdays as digits in order, 1 is Monday: «12345».")


class SpecialDay(models.Model):
    """A day that goes otherwise than weekdays and public holidays say."""

    date = models.DateField()
    works = models.BooleanField(
        "works all the same",
        default=False,
        help_text="Ticked: work as on other days, in spite of a holiday or weekend. Not ticked: closed.",
    )
    name = models.CharField(max_length=60, help_text="Why, such as «stocktaking».")

    class Meta:
        abstract = True
        ordering = ["date"]

    def __str__(self) -> str:
        return f"{self.date:%Y-%m-%d} {self.name}"


class Calendar(models.Model):
    """The shop's working days and hours, in the shop's zone, and how long packing takes."""

    name = models.CharField(max_length=60, unique=True)
    working_days = models.CharField(
        max_length=7,
        default="12345",
        validators=[WEEKDAYS],
        help_text="The weekdays on which parcels are packed. Public holidays are left out by themselves.",
    )
    region = models.CharField(
        max_length=40,
        blank=True,
        help_text="Whose own public holidays are kept as well as the country's.",
    )
    opens = models.TimeField(default=dt.time(8, 0), help_text="When packing begins, in the shop's zone.")
    closes = models.TimeField(
        default=dt.time(18, 0), help_text="A parcel that is not packed by then waits for the next day."
    )
    packing_minutes = models.PositiveSmallIntegerField(
        default=30,
        validators=[MaxValueValidator(24 * 60)],
        help_text="From the last disc made to the parcel that waits for the carrier.",
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(opens__lt=models.F("closes")),
                name="calendar_opens_first",
                violation_error_message="The shop closes before it opens.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if None in (self.opens, self.closes, self.packing_minutes):
            return  # each field says what is wrong with it
        if self.opens >= self.closes:
            raise ValidationError({"closes": f"Enter a time after {self.opens:%H:%M}, when the shop opens."})
        open_minutes = (self.closes.hour - self.opens.hour) * 60 + self.closes.minute - self.opens.minute
        if self.packing_minutes > open_minutes:
            raise ValidationError(
                {"packing_minutes": f"The shop is open for {open_minutes} minutes: nothing would ever be packed."}
            )


class CalendarDay(SpecialDay):
    """A day on which nobody packs, or on which somebody does in spite of the holiday."""

    calendar = models.ForeignKey(Calendar, on_delete=models.CASCADE, related_name="special_days")

    class Meta(SpecialDay.Meta):
        verbose_name = "special day"
        constraints = [models.UniqueConstraint(fields=["calendar", "date"], name="calendar_day_once")]
