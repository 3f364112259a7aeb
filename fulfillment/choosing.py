"""Which policy is in force: the newest choice in the admin, or else the setting. The only module that writes choices.

A choice is read anew at each use, because other processes and people make them; only classes are kept.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import Any, Final

from django.conf import settings
from django.db.models import QuerySet
from django.utils.module_loading import import_string

from devices.compiled import Compiled
from devices.text import clean
from fulfillment.guarded import Guarded
from fulfillment.models import PolicyChoice
from fulfillment.planning.model import JobView
from fulfillment.planning.policies import BUILT_IN, FirstCome

OF_THE_SETTING: Final = 0  # the key of the row that a failed setting gets: older than anybody's choice, and but one
LONGEST: Final = 200  # characters of a path

SAMPLE: Final = (
    JobView("plain", "image-a", 700_000_000, "cd", 1, 1000.0, 1),
    JobView("due", "image-b", 4_700_000_000, "dvd", 20, 2000.0, 2, due=90_000.0, work=9000.0),
    JobView("urgent", "image-b", 4_700_000_000, "dvd", 1, 2000.0, 3, priority=1, due=50_000.0, work=450.0),
    JobView("unmade", "recipe:c", 0, "bd", 300, 3000.0, 4, due=60_000.0, image_ready_at=None),
)


class Unusable(Exception):
    """A policy can't be used; the text says why."""


@lru_cache(maxsize=32)
def load(path: str) -> Any:
    """A policy by its built-in name or its dotted path. Raises Unusable."""
    if path in BUILT_IN:
        return BUILT_IN[path]()
    try:
        policy = import_string(path)()
    except Exception as error:  # whatever somebody's module does when it is loaded
        raise Unusable(f"it can't be imported: {type(error).__name__}: {error}") from error
    if not callable(getattr(policy, "rank", None)):
        raise Unusable("it has no rank(job)")
    if not isinstance(getattr(policy, "name", None), str):
        raise Unusable('it has no name, such as name = "due-first"')
    return policy


def check(path: str) -> None:
    """Tries the policy on a few jobs. Raises Unusable that says what is wrong with it."""
    if len(path) > LONGEST:
        raise Unusable(f"its path is longer than {LONGEST} characters")
    policy, failures = load(path), list[str]()

    def note(text: str) -> str:
        failures.append(text)
        return ""

    tried = Guarded(policy, "", note)
    for job in SAMPLE:
        tried.rank(job)
    tried.reorder(SAMPLE, 45_000.0)
    if failures:
        raise Unusable(f"tried on a few jobs, it failed: {failures[0]}")


def in_force(now: dt.datetime) -> Guarded:
    """The policy in force, guarded: it may fail at any time, and the queue goes on. One query."""
    choice = newest()
    path, ranked_by = (choice.policy, _key(choice)) if choice else (settings.SPINDLE_POLICY, _key_of_setting())

    def note(text: str) -> str:
        return _key(note_failure(choice, text, now))

    if choice and choice.failure:
        return Guarded(FirstCome(), ranked_by, note)
    try:
        return Guarded(load(path), ranked_by, note)
    except Unusable as error:
        return Guarded(FirstCome(), note(f"{path}: {error}"), note)


def newest() -> PolicyChoice | None:
    """The choice in force; none, if the setting is in force and has not failed."""
    choice: PolicyChoice | None = next(iter(_newest()), None)
    if choice and choice.pk == OF_THE_SETTING and choice.policy != _setting():
        return None  # another one was set since, which is as good as a choice
    return choice


@Compiled
def _newest() -> QuerySet[PolicyChoice]:
    return PolicyChoice.objects.order_by("-pk")[:1]


def choose(policy: str, *, why: str, who: str, now: dt.datetime) -> PolicyChoice:
    """Puts a policy in force, which was checked before. The queue is ranked anew by the ticks to come."""
    return PolicyChoice.objects.create(policy=policy, why=why, chosen_by=who, chosen_at=now)


def note_failure(choice: PolicyChoice | None, text: str, now: dt.datetime) -> PolicyChoice:
    """Puts a policy out of force until somebody chooses again; the first failure is kept."""
    failed = {"failure": text[:1000], "failed_at": now}
    if choice is None:
        about = {"policy": _setting(), "why": "The setting SPINDLE_POLICY.", "chosen_by": "setting", "chosen_at": now}
        row, _ = PolicyChoice.objects.update_or_create(pk=OF_THE_SETTING, defaults=about | failed)
        return row
    PolicyChoice.objects.filter(pk=choice.pk, failure="").update(**failed)
    choice.refresh_from_db()
    return choice


def _setting() -> str:
    return clean(settings.SPINDLE_POLICY, LONGEST)


def _key(choice: PolicyChoice) -> str:
    """What a job's row keeps of whose order its rank is: a policy that failed is another order."""
    return f"choice {choice.pk}, failed" if choice.failure else f"choice {choice.pk}"


def _key_of_setting() -> str:
    return f"setting {_setting()}"
