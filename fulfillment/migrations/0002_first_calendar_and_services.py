"""A shop can promise dates from its first minute: one calendar, one carrier, two services. All editable in the admin."""

import datetime as dt

from django.db import migrations


def install(apps, schema_editor):
    Calendar = apps.get_model("fulfillment", "Calendar")
    Carrier = apps.get_model("fulfillment", "Carrier")
    Service = apps.get_model("fulfillment", "Service")
    Calendar.objects.create(name="Shop")
    post = Carrier.objects.create(name="Post")
    Service.objects.create(
        key="standard", carrier=post, name="Standard", cut_off=dt.time(16), transit_days=2, transit_days_abroad=5,
        price_minor=390, price_minor_abroad=1190,
    )
    Service.objects.create(
        key="express", carrier=post, name="Express", cut_off=dt.time(17), transit_days=1, transit_days_abroad=2,
        price_minor=890, price_minor_abroad=2490,
    )


class Migration(migrations.Migration):
    dependencies = [("fulfillment", "0001_initial")]
    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
