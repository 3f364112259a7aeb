"""Three calendars in place of one: the shop's, the carrier's pick-ups, and transit by destination.

What a service had in columns becomes rows. Backwards, what columns can't say is lost: destinations between home and
elsewhere, spread, special days on which somebody works, cut-offs that differ by weekday (the earliest is kept).
"""

from __future__ import annotations

import datetime
from typing import Any

import django.core.validators
import django.db.models.deletion
import django_countries.fields
from django.conf import settings
from django.db import migrations, models

EU = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split()
COVERED = 99  # of 100 parcels, how many keep what was one number: it was promised without any doubt
# Usual days, of 100 parcels how many by then, most days, how many by then: at home, in the EU, elsewhere.
FIRST = {
    "standard": ((1, 85, 2, 99), (3, 85, 5, 99), (7, 80, 14, 99)),
    "express": ((1, 99, 1, 99), (2, 90, 3, 99), (3, 85, 5, 99)),
}
AS_INSTALLED = {"standard": (2, 5), "express": (1, 2)}  # the columns as the second migration left them


def to_rows(apps: Any, schema_editor: Any) -> None:
    for service in apps.get_model("fulfillment", "Service").objects.all():
        for weekday in service.collection_days:
            service.pick_ups.create(weekday=int(weekday), cut_off=service.cut_off)
        for country, times in times_of(service).items():
            at_home = country == settings.SPINDLE_COUNTRY
            usual_days, usual_percent, most_days, most_percent = times
            service.transit_times.create(
                country=country,
                usual_days=usual_days,
                usual_percent=usual_percent,
                most_days=most_days,
                most_percent=most_percent,
                delivery_days=service.delivery_days if at_home else "",  # abroad, the country's own working days
            )
    day = apps.get_model("fulfillment", "CalendarDay")
    for closed in apps.get_model("fulfillment", "ClosingDay").objects.all():
        day.objects.create(calendar_id=closed.calendar_id, date=closed.date, name=closed.name)


def times_of(service: Any) -> dict[str, tuple[int, int, int, int]]:
    """Sensible ones for a service that nobody has touched yet; else its own, to the dates that were promised so far."""
    home, columns = settings.SPINDLE_COUNTRY, (service.transit_days, service.transit_days_abroad)
    if AS_INSTALLED.get(service.key) == columns:
        at_home, near, elsewhere = FIRST[service.key]
        return dict.fromkeys(EU if home in EU else (), near) | {home: at_home, "": elsewhere}
    each = {home: service.transit_days, "": service.transit_days_abroad}
    return {country: (days, COVERED, days, COVERED) for country, days in each.items() if days is not None}


def to_columns(apps: Any, schema_editor: Any) -> None:
    for service in apps.get_model("fulfillment", "Service").objects.all():
        pick_ups = list(service.pick_ups.order_by("weekday"))
        rows = {str(row.country): row for row in service.transit_times.all()}
        home, elsewhere = rows.get(settings.SPINDLE_COUNTRY, rows.get("")), rows.get("")
        service.collection_days = "".join(str(each.weekday) for each in pick_ups)
        service.cut_off = min((each.cut_off for each in pick_ups), default=service.cut_off)
        service.transit_days = home.most_days if home else service.transit_days
        service.delivery_days = home.delivery_days if home and home.delivery_days else service.delivery_days
        service.transit_days_abroad = elsewhere.most_days if elsewhere else None
        service.save()
    closed = apps.get_model("fulfillment", "ClosingDay")
    for day in apps.get_model("fulfillment", "CalendarDay").objects.filter(works=False):
        closed.objects.create(calendar_id=day.calendar_id, date=day.date, name=day.name)


def key() -> tuple[str, models.Field[Any, Any]]:
    return "id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


def parent(model: str, related_name: str) -> models.ForeignKey[Any, Any]:
    return models.ForeignKey(
        on_delete=django.db.models.deletion.CASCADE, related_name=related_name, to=f"fulfillment.{model}"
    )


def special_day(model: str) -> migrations.CreateModel:
    return migrations.CreateModel(
        name=f"{model.title()}Day",
        fields=[
            key(),
            ("date", models.DateField()),
            (
                "works",
                models.BooleanField(
                    default=False,
                    help_text="Ticked: work as on other days, in spite of a holiday or weekend. Not ticked: closed.",
                    verbose_name="works all the same",
                ),
            ),
            ("name", models.CharField(help_text="Why, such as «stocktaking».", max_length=60)),
            (model, parent(model, "special_days")),
        ],
        options={
            "verbose_name": "special day",
            "ordering": ["date"],
            "abstract": False,
            "constraints": [models.UniqueConstraint(fields=(model, "date"), name=f"{model}_day_once")],
        },
    )


WEEKDAYS = [
    django.core.validators.RegexValidator("^1?2?3?4?5?6?7?$", "Weekdays as digits in order, 1 is Monday: «12345».")
]
PERCENT = [django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100)]
DAYS = [django.core.validators.MaxValueValidator(90)]
WEEKDAY_NAMES = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


class Migration(migrations.Migration):
    dependencies = [("fulfillment", "0008_counted_discs")]

    operations = [
        special_day("calendar"),
        special_day("carrier"),
        migrations.CreateModel(
            name="PickUp",
            fields=[
                key(),
                (
                    "weekday",
                    models.PositiveSmallIntegerField(choices=list(enumerate(WEEKDAY_NAMES, start=1))),
                ),
                (
                    "cut_off",
                    models.TimeField(
                        help_text="Parcels packed by then leave that day (the shop's zone). "
                        "Empty: nothing is collected.",
                        verbose_name="cut-off",
                    ),
                ),
                ("service", parent("service", "pick_ups")),
            ],
            options={
                "verbose_name": "pick-up",
                "ordering": ["weekday"],
                "constraints": [
                    models.UniqueConstraint(fields=("service", "weekday"), name="pick_up_once"),
                    models.CheckConstraint(condition=models.Q(("weekday__range", (1, 7))), name="pick_up_weekday"),
                ],
            },
        ),
        migrations.CreateModel(
            name="TransitTime",
            fields=[
                key(),
                (
                    "country",
                    django_countries.fields.CountryField(
                        blank=True,
                        help_text="«elsewhere» is every country without a row of its own. "
                        "Without it, the service doesn't go there.",
                        max_length=2,
                    ),
                ),
                (
                    "usual_days",
                    models.PositiveSmallIntegerField(
                        help_text="Delivery days after the hand-over; 0 is the same day.", validators=DAYS
                    ),
                ),
                (
                    "usual_percent",
                    models.PositiveSmallIntegerField(
                        help_text="Of 100 parcels, how many arrive within the usual days.",
                        validators=PERCENT,
                        verbose_name="arrived by then, %",
                    ),
                ),
                (
                    "most_days",
                    models.PositiveSmallIntegerField(
                        help_text="Delivery days within which nearly all parcels arrive.", validators=DAYS
                    ),
                ),
                (
                    "most_percent",
                    models.PositiveSmallIntegerField(
                        help_text="Of 100 parcels, how many arrive within the most days.",
                        validators=PERCENT,
                        verbose_name="arrived by then, %",
                    ),
                ),
                (
                    "delivery_days",
                    models.CharField(
                        blank=True,
                        help_text="Weekdays on which it delivers there. "
                        "None ticked: the working days of the country.",
                        max_length=7,
                        validators=WEEKDAYS,
                    ),
                ),
                ("service", parent("service", "transit_times")),
            ],
            options={
                "ordering": ["country"],
                "constraints": [
                    models.UniqueConstraint(fields=("service", "country"), name="transit_time_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("most_percent__lte", 100),
                            ("usual_days__lte", models.F("most_days")),
                            ("usual_percent__lte", models.F("most_percent")),
                        ),
                        name="transit_time_rises",
                    ),
                ],
            },
        ),
        migrations.AddField(
            model_name="calendar",
            name="region",
            field=models.CharField(
                blank=True,
                help_text="Whose own public holidays are kept as well as the country's.",
                max_length=40,
            ),
        ),
        migrations.AddField(
            model_name="carrier",
            name="region",
            field=models.CharField(
                blank=True, help_text="On whose own public holidays it doesn't collect either.", max_length=40
            ),
        ),
        # What goes gets a default first, for the way back.
        migrations.AlterField("service", "cut_off", models.TimeField(default=datetime.time(16))),
        migrations.AlterField("service", "transit_days", models.PositiveSmallIntegerField(default=5)),
        migrations.RunPython(to_rows, to_columns),
        migrations.DeleteModel(name="ClosingDay"),
        migrations.RemoveField(model_name="service", name="collection_days"),
        migrations.RemoveField(model_name="service", name="cut_off"),
        migrations.RemoveField(model_name="service", name="delivery_days"),
        migrations.RemoveField(model_name="service", name="transit_days"),
        migrations.RemoveField(model_name="service", name="transit_days_abroad"),
        migrations.AlterField(
            model_name="calendar",
            name="closes",
            field=models.TimeField(
                default=datetime.time(18, 0), help_text="A parcel that is not packed by then waits for the next day."
            ),
        ),
        migrations.AlterField(
            model_name="calendar",
            name="opens",
            field=models.TimeField(
                default=datetime.time(8, 0), help_text="When packing begins, in the shop's zone."
            ),
        ),
        migrations.AlterField(
            model_name="calendar",
            name="packing_minutes",
            field=models.PositiveSmallIntegerField(
                default=30,
                help_text="From the last disc made to the parcel that waits for the carrier.",
                validators=[django.core.validators.MaxValueValidator(1440)],
            ),
        ),
        migrations.AlterField(
            model_name="calendar",
            name="working_days",
            field=models.CharField(
                default="12345",
                help_text="The weekdays on which parcels are packed. Public holidays are left out by themselves.",
                max_length=7,
                validators=WEEKDAYS,
            ),
        ),
        migrations.AlterField(
            model_name="service",
            name="active",
            field=models.BooleanField(default=True, help_text="Offered to customers."),
        ),
        migrations.AlterField(
            model_name="service",
            name="price_minor",
            field=models.PositiveIntegerField(
                help_text="In minor units (cents), within the shop's country.", verbose_name="price at home"
            ),
        ),
        migrations.AlterField(
            model_name="service",
            name="price_minor_abroad",
            field=models.PositiveIntegerField(
                default=0,
                help_text="In minor units (cents), to every other country it goes to.",
                verbose_name="price abroad",
            ),
        ),
        migrations.AlterConstraint(
            model_name="calendar",
            name="calendar_opens_first",
            constraint=models.CheckConstraint(
                condition=models.Q(("opens__lt", models.F("closes"))),
                name="calendar_opens_first",
                violation_error_message="The shop closes before it opens.",
            ),
        ),
    ]
