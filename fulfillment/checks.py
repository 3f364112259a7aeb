"""What fulfillment must not be started with: a policy that can't be used."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

from fulfillment import choosing
from fulfillment.planning.policies import BUILT_IN

HINT = "Set it to a dotted path, such as shop_policies.DueFirst, or to one of: {}. Without it, jobs come as received."


def usable_policy(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """A policy that fails later is put out of force by itself; one that never worked is told before the start."""
    path = settings.SPINDLE_POLICY
    try:
        choosing.check(path)
    except choosing.Unusable as error:
        text = f"SPINDLE_POLICY={path!r} can't be used: {error}."
        return [Error(text, hint=HINT.format(", ".join(BUILT_IN)), id="spindle.E020")]
    return []
