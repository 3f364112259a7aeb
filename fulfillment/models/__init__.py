"""Jobs, shipments, dates and papers: what is made, for whom, and by when."""

from fulfillment.models.calendars import Calendar, Carrier, ClosingDay, Service
from fulfillment.models.jobs import Allocation, Job, JobEvent, WriteShare
from fulfillment.models.log import LogEntry
from fulfillment.models.plan_runs import PlanRun
from fulfillment.models.shipments import ADDRESS_FIELDS, Paper, PostalAddress, Shipment, ShipmentEvent

__all__ = [
    "ADDRESS_FIELDS",
    "Allocation",
    "Calendar",
    "Carrier",
    "ClosingDay",
    "Job",
    "JobEvent",
    "LogEntry",
    "Paper",
    "PlanRun",
    "PostalAddress",
    "Service",
    "Shipment",
    "ShipmentEvent",
    "WriteShare",
]
