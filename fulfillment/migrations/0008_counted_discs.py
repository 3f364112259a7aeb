"""A job's row keeps how many of its discs are made or under way, and how many were lost: a turn need not count them."""

from __future__ import annotations

from typing import Any

from django.db import migrations, models
from django.db.models import F, Q

OPEN = ("waiting", "held", "writing")


def count(apps: Any, schema_editor: Any) -> None:
    """What is open and was begun. A write's discs go to its shares in the order of their jobs."""
    jobs = apps.get_model("fulfillment", "Job").objects
    begun = Q(shares__isnull=False) | Q(allocations__isnull=False)
    for job in jobs.filter(begun, state__in=OPEN).distinct():
        shares = job.shares.select_related("write")
        covered = job.allocations.count() + sum(_under_way(apps, share.write, job.pk) for share in shares)
        lost = sum(share.write.discs.filter(state__in=["bad", "unknown"]).count() for share in shares)
        lost += sum(1 for share in shares if share.write.problem)
        jobs.filter(pk=job.pk).update(covered=min(job.copies, covered), lost=lost)


def _under_way(apps: Any, write: Any, job: Any) -> int:
    allocations = apps.get_model("fulfillment", "Allocation").objects
    unfinished = Q(state__in=["planned", "started"]) | Q(state="good", allocation=None)
    left = write.discs.filter(unfinished).count()
    for share in write.shares.order_by("job__rank", "pk"):
        had = allocations.filter(disc__write=write, job=share.job_id).count()
        mine = min(left, max(0, share.copies - had))
        if share.job_id == job:
            return int(mine)
        left -= mine
    return 0


class Migration(migrations.Migration):
    dependencies = [("fulfillment", "0007_stock")]

    operations = [
        migrations.AddField(
            "job",
            "covered",
            models.PositiveIntegerField(default=0, editable=False, help_text="Discs made for it or under way."),
        ),
        migrations.AddField(
            "job",
            "lost",
            models.PositiveIntegerField(
                default=0,
                editable=False,
                help_text="Discs of it that went bad or unknown, and writes that were refused.",
            ),
        ),
        migrations.RunPython(count, migrations.RunPython.noop),
        migrations.AddConstraint(
            "job",
            models.CheckConstraint(condition=Q(covered__lte=F("copies")), name="job_covered_no_more_than_ordered"),
        ),
    ]
