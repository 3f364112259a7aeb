"""Which policy orders the queue, chosen by whom and why. Rows are added; nothing but a policy's failure is noted later.

The newest row is in force; `fulfillment/choosing.py` reads and writes them.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class PolicyChoice(models.Model):
    policy = models.CharField(
        max_length=200, help_text="The name of a policy that comes with Spindle, or a dotted path."
    )
    why = models.CharField(max_length=300, help_text="For whoever asks later.")
    chosen_by = models.CharField(max_length=100, editable=False)
    chosen_at = models.DateTimeField(editable=False)
    failure = models.CharField(max_length=1000, blank=True, editable=False, help_text="Why it is out of force.")
    failed_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-id"]
        get_latest_by = "id"
        verbose_name = "choice of policy"
        verbose_name_plural = "choices of policy"
        constraints = [
            models.CheckConstraint(condition=~Q(policy="") & ~Q(why=""), name="policy_choice_said"),
            models.CheckConstraint(
                condition=Q(failure="", failed_at=None) | (~Q(failure="") & Q(failed_at__isnull=False)),
                name="policy_choice_failure_dated",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.policy}, {self.chosen_at:%Y-%m-%d %H:%M}"
