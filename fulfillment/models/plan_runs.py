"""A stored roll-forward of the planner: the source of every date that was shown."""

from __future__ import annotations

from django.db import models


class PlanRun(models.Model):
    """What the planner saw and what it projected, so that a shown date can be replayed exactly.

    What came between a run and the instant of a date stands beside it (`arrivals.since`). Its columns are the planning
    dataclasses as JSON: `snapshot` and `belief` went in, the others came out, `jobs` for each job
    (`fulfillment/plan_runs.py` reads and writes them).
    """

    at = models.DateTimeField(db_index=True)
    policy = models.CharField(max_length=120)
    snapshot = models.JSONField()
    projection = models.JSONField()
    jobs = models.JSONField(default=dict)
    belief = models.JSONField(default=dict)
    milliseconds = models.FloatField()

    class Meta:
        ordering = ["-id"]
        get_latest_by = "id"

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.policy}"
