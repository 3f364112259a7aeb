"""A disc in stock has an allocation to nobody: found by an index, however many discs were ever made."""

from __future__ import annotations

from typing import Any

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Exists, OuterRef


def put_in_stock(apps: Any, schema_editor: Any) -> None:
    """Good discs of shared writes that nobody got."""
    disc, share, allocation = (
        apps.get_model(app, name)
        for app, name in (("devices", "Disc"), ("fulfillment", "WriteShare"), ("fulfillment", "Allocation"))
    )
    shared = Exists(share.objects.filter(write=OuterRef("write")))
    left_over = disc.objects.filter(shared, state="good", allocation=None, final_at__isnull=False)
    allocation.objects.bulk_create(
        [allocation(disc_id=pk, job=None, at=at) for pk, at in left_over.values_list("pk", "final_at")], batch_size=500
    )


def take_out_of_stock(apps: Any, schema_editor: Any) -> None:
    apps.get_model("fulfillment", "Allocation").objects.filter(job=None).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("devices", "0008_read_without_tries"),
        ("fulfillment", "0006_demand_and_head"),
    ]

    operations = [
        migrations.AlterField(
            model_name="allocation",
            name="job",
            field=models.ForeignKey(
                null=True,
                help_text="Empty: in stock.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="allocations",
                to="fulfillment.job",
            ),
        ),
        migrations.RunPython(put_in_stock, take_out_of_stock),
    ]
