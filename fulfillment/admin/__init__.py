"""The plant's rows in the admin. States are read-only here: actions call the same lifecycle as the tick."""

from . import calendars, carriers, copies, jobs, policies, rates, shipments
from .base import LogInline, ReadOnly, actor, report

__all__ = [
    "LogInline",
    "ReadOnly",
    "actor",
    "calendars",
    "carriers",
    "copies",
    "jobs",
    "policies",
    "rates",
    "report",
    "shipments",
]
