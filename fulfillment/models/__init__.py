"""Jobs, shipments, dates, papers and copies by hand: what is made, for whom, and by when."""

from fulfillment.models.calendars import Calendar, CalendarDay
from fulfillment.models.carriers import Carrier, CarrierDay, PickUp, Service, TransitTime
from fulfillment.models.copies import Copy, CopyEvent, CopyWrite, ImageFetch
from fulfillment.models.forecasts import ForecastMemory, ShipmentForecast
from fulfillment.models.jobs import Allocation, Job, JobEvent, WriteShare
from fulfillment.models.log import LogEntry
from fulfillment.models.plan_runs import PlanRun
from fulfillment.models.policies import PolicyChoice
from fulfillment.models.rates import ImageDemand, LearnedRate, LearningMark
from fulfillment.models.shipments import ADDRESS_FIELDS, Paper, PostalAddress, Shipment, ShipmentEvent

__all__ = [
    "ADDRESS_FIELDS",
    "Allocation",
    "Calendar",
    "CalendarDay",
    "Carrier",
    "CarrierDay",
    "Copy",
    "CopyEvent",
    "CopyWrite",
    "ForecastMemory",
    "ImageDemand",
    "ImageFetch",
    "Job",
    "JobEvent",
    "LearnedRate",
    "LearningMark",
    "LogEntry",
    "Paper",
    "PickUp",
    "PlanRun",
    "PolicyChoice",
    "PostalAddress",
    "Service",
    "Shipment",
    "ShipmentEvent",
    "ShipmentForecast",
    "TransitTime",
    "WriteShare",
]
