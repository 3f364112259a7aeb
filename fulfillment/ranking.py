"""The shop's policy, by dotted path, and the rank it gives to a job's row."""

from __future__ import annotations

from functools import lru_cache
from typing import cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from fulfillment.models import Job
from fulfillment.planning.model import JobView
from fulfillment.planning.policies import Policy, encode_rank, full_rank


def policy() -> Policy:
    """The policy of `SPINDLE_POLICY`. Raises ImproperlyConfigured that says what is wrong with it."""
    return load_policy(settings.SPINDLE_POLICY)


@lru_cache
def load_policy(path: str) -> Policy:
    try:
        made = import_string(path)()
    except (ImportError, TypeError) as error:
        raise ImproperlyConfigured(f"SPINDLE_POLICY={path!r} can't be used: {error}.") from error
    missing = [name for name in ("name", "rank", "reorder") if not hasattr(made, name)]
    if missing:
        raise ImproperlyConfigured(f"SPINDLE_POLICY={path!r} has no {' and no '.join(missing)}.")
    return cast(Policy, made)


def rank_of(job: Job) -> str:
    return encode_rank(full_rank(policy(), view_of(job)))


def view_of(job: Job, *, copies: int | None = None, avoid: frozenset[str] = frozenset()) -> JobView:
    """A job as planning sees it. `copies` are those still to be given out (all of them, for its rank)."""
    image = job.image
    ready = bool(image.sha256)
    return JobView(
        id=str(job.pk),
        image=image.sha256 or f"recipe:{image.recipe}",
        bytes=image.size or 0,
        format=job.format,
        copies=job.copies if copies is None else copies,
        received_at=job.received_at.timestamp(),
        sequence=job.pk.int >> 75,  # 53 bits: exact as a float, and settles jobs of one instant for good
        priority=job.priority,
        due=job.due.timestamp() if job.due else None,
        image_ready_at=0.0 if ready else None,
        avoid=avoid,
    )
