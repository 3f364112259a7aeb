"""Counts what is written, so that eviction knows what is likely to be written again. Counts each write once."""

from __future__ import annotations

from typing import Final

from django.db import transaction

from devices.models import Write
from fulfillment.models import ImageDemand, LearningMark
from fulfillment.planning.demand import NEVER, asked

AT_ONCE: Final = 500  # writes counted in one tick


def learn_from_writes() -> int:
    """Counts the next writes; returns how many. Harmless when run twice at once.

    A write whose number was given out earlier and that was committed later than the mark went by is not counted: the
    levels are an estimate, and one write more or less does not move them.
    """
    mark, _ = LearningMark.objects.get_or_create(pk=1)
    following = Write.objects.filter(pk__gt=mark.write).order_by("pk")
    writes = list(following.values_list("pk", "image_sha256")[:AT_ONCE])
    if not writes:
        return 0
    with transaction.atomic():
        # Compare-and-set, and the lock: whoever comes second finds that these writes are somebody's already.
        if not LearningMark.objects.filter(pk=1, write=mark.write).update(write=writes[-1][0]):
            return 0
        digests = {sha256 for _, sha256 in writes}
        levels = dict(ImageDemand.objects.filter(sha256__in=digests).values_list("sha256", "level"))
        for number, sha256 in writes:
            levels[sha256] = asked(levels.get(sha256, NEVER), number)
        ImageDemand.objects.bulk_create(
            [ImageDemand(sha256=sha256, level=level) for sha256, level in levels.items()],
            update_conflicts=True,
            unique_fields=["sha256"],
            update_fields=["level"],
        )
    return len(writes)
