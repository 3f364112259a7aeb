"""What the plant is short of: for each format, who waits for blanks and where they are used up. Reads only."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from devices import fleet
from devices.models import BlankBin
from fulfillment.models import Job
from fulfillment.planning.model import Wait

MOST: Final = 2000  # jobs that are counted one by one


@dataclass(slots=True)
class Shortage:
    """Blanks of one format. `writers` are those at work that have bins of it, by name; `left` is what lies in them."""

    format: str
    jobs: int = 0
    discs: int = 0
    left: int = 0
    writers: list[str] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)


def of_blanks() -> list[Shortage]:
    """By format. A job of which discs are under way is counted with those that it lacks."""
    short = Job.objects.filter(reason=Wait.BLANKS, state__in=[Job.State.HELD, Job.State.WRITING]).order_by("rank")
    jobs = list(short[:MOST])
    if not jobs:
        return []
    found: dict[str, Shortage] = {}
    for job in jobs:
        shortage = found.setdefault(job.format, Shortage(job.format))
        shortage.jobs += 1
        shortage.discs += job.wanting
    names = {writer.pk: writer.name for writer in fleet.at_work()}
    writers: dict[str, set[str]] = defaultdict(set)
    for bin_ in BlankBin.objects.filter(writer__in=names, format__in=found):
        writers[bin_.format].add(names[bin_.writer_id])
        found[bin_.format].kinds.add(bin_.kind)
        found[bin_.format].left += max(0, bin_.remaining) if bin_.counted else 0
    for format_, shortage in found.items():
        shortage.writers = sorted(writers[format_])
    return [found[format_] for format_ in sorted(found)]
