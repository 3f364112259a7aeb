"""The only reader of rows for the papers: one function per paper, from a shipment to frozen content."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Prefetch, QuerySet
from django.utils import translation

from archive.formats import FORMATS
from archive.models import Title
from devices.serials import spoken
from fulfillment import dates
from fulfillment.models import Allocation, Job, Shipment
from fulfillment.models.shipments import ADDRESS_FIELDS
from fulfillment.papers.addresses import recipient
from fulfillment.papers.content import FaceContent, LabelContent, Recipient, SlipContent, SlipLine, printable


def label_content(shipment: Shipment) -> LabelContent:
    return LabelContent(
        reference=printable(shipment.reference),
        sender=printable(settings.SPINDLE_SENDER),
        carrier=printable(shipment.service.carrier.name),
        service=printable(shipment.service.name),
        recipient=_recipient(shipment),
    )


def slip_content(shipment: Shipment) -> SlipContent:
    return SlipContent(
        shop=printable(settings.SPINDLE_NAME),
        reference=printable(shipment.reference),
        ordered_on=dates.local_date(shipment.received_at),
        service=printable(f"{shipment.service.carrier.name} · {shipment.service.name}"),
        promised_on=shipment.promised_on,
        recipient=_recipient(shipment),
        lines=tuple(
            SlipLine(
                part_number=printable(job.part_number),
                title=printable(job.title),
                format=_format_label(job),
                copies=job.copies,
                serials=tuple(spoken(allocation.disc.serial) for allocation in job.allocations.all()),
            )
            for job in _jobs(shipment)
        ),
    )


def face_contents(shipment: Shipment) -> tuple[FaceContent, ...]:
    """One face per good disc of the shipment, in the order of the slip."""
    jobs = list(_jobs(shipment))
    numbers = {job.part_number for job in jobs}
    who = dict(Title.objects.filter(part_number__in=numbers).values_list("part_number", "who"))
    return tuple(
        FaceContent(
            title=printable(job.title),
            who=printable(who.get(job.part_number, "")),
            part_number=printable(job.part_number),
            format=_format_label(job),
            mini=job.format.endswith("-mini"),
            serial=allocation.disc.serial,
        )
        for job in jobs
        for allocation in job.allocations.all()
    )


def _jobs(shipment: Shipment) -> QuerySet[Job]:
    """What is in the parcel, in an order that no policy changes: the same rows give the same paper."""
    allocations = Allocation.objects.select_related("disc").order_by("disc_id")
    return (
        shipment.jobs.exclude(state=Job.State.CANCELLED)
        .order_by("part_number", "reference")
        .prefetch_related(Prefetch("allocations", allocations))
    )


def _recipient(shipment: Shipment) -> Recipient:
    fields = {field: str(getattr(shipment, field)) for field in ADDRESS_FIELDS if field != "country"}
    with translation.override("en"):  # carriers read country names in English
        country_name = str(shipment.country.name)
    return recipient(
        **fields, country=str(shipment.country.code), country_name=country_name, home=settings.SPINDLE_COUNTRY
    )


def _format_label(job: Job) -> str:
    return FORMATS[job.format].label
