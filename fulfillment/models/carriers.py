"""Who ships, when they collect, and how long they take to where. Edited in the admin."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django_countries.fields import CountryField

from fulfillment.models.calendars import WEEKDAYS, SpecialDay

LONGEST = 90  # delivery days
PERCENT = [MinValueValidator(1), MaxValueValidator(100)]


class Carrier(models.Model):
    """Collects at the shop, except on the public holidays of the shop's country."""

    name = models.CharField(max_length=60, unique=True)
    region = models.CharField(
        max_length=40,
        blank=True,
        help_text="On whose own public holidays it doesn't collect either.",
    )

    def __str__(self) -> str:
        return self.name


class CarrierDay(SpecialDay):
    """A day on which the carrier doesn't collect, or on which it does in spite of the holiday."""

    carrier = models.ForeignKey(Carrier, on_delete=models.CASCADE, related_name="special_days")

    class Meta(SpecialDay.Meta):
        verbose_name = "special day"
        constraints = [models.UniqueConstraint(fields=["carrier", "date"], name="carrier_day_once")]


class Service(models.Model):
    """A way to ship. Where it goes, when it is collected and how long it takes stand in rows of their own."""

    key = models.SlugField(unique=True)
    carrier = models.ForeignKey(Carrier, on_delete=models.PROTECT, related_name="services")
    name = models.CharField(max_length=60)
    price_minor = models.PositiveIntegerField(
        "price at home", help_text="In minor units (cents), within the shop's country."
    )
    price_minor_abroad = models.PositiveIntegerField(
        "price abroad", default=0, help_text="In minor units (cents), to every other country it goes to."
    )
    active = models.BooleanField(default=True, help_text="Offered to customers.")

    class Meta:
        ordering = ["price_minor", "key"]

    def __str__(self) -> str:
        return self.name


class PickUp(models.Model):
    """A weekday on which the carrier collects parcels of the service. A weekday without a row has no collection."""

    class Weekday(models.IntegerChoices):
        MONDAY = 1
        TUESDAY = 2
        WEDNESDAY = 3
        THURSDAY = 4
        FRIDAY = 5
        SATURDAY = 6
        SUNDAY = 7

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="pick_ups")
    weekday = models.PositiveSmallIntegerField(choices=Weekday.choices)
    cut_off = models.TimeField(
        "cut-off", help_text="Parcels packed by then leave that day (the shop's zone). Empty: nothing is collected."
    )

    class Meta:
        ordering = ["weekday"]
        verbose_name = "pick-up"
        constraints = [
            models.UniqueConstraint(fields=["service", "weekday"], name="pick_up_once"),
            models.CheckConstraint(condition=Q(weekday__range=(1, 7)), name="pick_up_weekday"),
        ]

    def __str__(self) -> str:
        return self.get_weekday_display()


class TransitTime(models.Model):
    """How long the service takes to a country: two points of the distribution over its delivery days there."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="transit_times")
    country = CountryField(
        blank=True,
        blank_label="elsewhere",
        help_text="«elsewhere» is every country without a row of its own. Without it, the service doesn't go there.",
    )
    usual_days = models.PositiveSmallIntegerField(
        validators=[MaxValueValidator(LONGEST)],
        help_text="Delivery days after the hand-over; 0 is the same day.",
    )
    usual_percent = models.PositiveSmallIntegerField(
        "arrived by then, %", validators=PERCENT, help_text="Of 100 parcels, how many arrive within the usual days."
    )
    most_days = models.PositiveSmallIntegerField(
        validators=[MaxValueValidator(LONGEST)],
        help_text="Delivery days within which nearly all parcels arrive.",
    )
    most_percent = models.PositiveSmallIntegerField(
        "arrived by then, %", validators=PERCENT, help_text="Of 100 parcels, how many arrive within the most days."
    )
    delivery_days = models.CharField(
        max_length=7,
        blank=True,
        validators=[WEEKDAYS],
        help_text="Weekdays on which it delivers there. None ticked: the working days of the country.",
    )

    class Meta:
        ordering = ["country"]
        constraints = [
            models.UniqueConstraint(fields=["service", "country"], name="transit_time_once"),
            models.CheckConstraint(
                condition=Q(
                    usual_days__lte=F("most_days"), usual_percent__lte=F("most_percent"), most_percent__lte=100
                ),
                name="transit_time_rises",
            ),
        ]

    def __str__(self) -> str:
        return str(self.country.name) if self.country else "elsewhere"

    def clean(self) -> None:
        values = (self.usual_days, self.usual_percent, self.most_days, self.most_percent)
        if None not in values:
            self._check_rises()

    def _check_rises(self) -> None:
        """Both points must lie as a distribution's do, and the second high enough to promise a date by."""
        wanted, usual = settings.SPINDLE_PROMISE_PERCENT, self.usual_percent
        if self.most_days < self.usual_days:
            wrong = {"most_days": f"Enter {self.usual_days} or more: it can't be less than the usual days."}
        elif self.most_days == self.usual_days and self.most_percent != usual:
            wrong = {"most_percent": f"Enter {usual}, as many as within the usual days: they are as many days."}
        elif self.most_days > self.usual_days and self.most_percent <= usual:
            wrong = {"most_percent": f"Enter more than {usual}, or as many most days as usual days."}
        elif self.most_percent < wanted:
            wrong = {"most_percent": f"Enter {wanted} or more, and the days they take: else no date can be promised."}
        else:
            return
        raise ValidationError(wrong)
