"""What the processes of a crowd do. Each is called by name in a process of its own."""

from __future__ import annotations

import datetime as dt
import os
import random
from contextlib import suppress
from typing import Final
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from archive import lifecycle as archive_lifecycle
from archive.models import Image
from devices import dispatch, reports
from devices.agent import wire
from devices.models import Write, Writer
from fulfillment import allocation, quotes, tick
from fulfillment.models import Job, Service
from storefront import outbox, payments, progress
from storefront.cart import CartLine
from storefront.models import Product
from storefront.orders import AlreadyPlaced, Draft, Summary
from storefront.payer import PayerUnreachable, payer
from storefront.pricing import price_line
from storefront.views.checkout import _place
from tests.scene import ADDRESS

PRESSES: Final = 40


def claim_all(pks: list[int]) -> list[int]:
    """The images whose lease this process got."""
    now, owner = timezone.now(), f"process-{os.getpid()}"
    random.Random(os.getpid()).shuffle(pks)
    return [pk for pk in pks if archive_lifecycle.claim(Image(pk=pk), owner, now)]


def plan(now: dt.datetime, turns: int) -> int:
    return sum(tick.run(now + dt.timedelta(seconds=turn)).queued for turn in range(turns))


def report_all(writer_pk: int, states: list[str], now: dt.datetime) -> list[UUID]:
    """Reports in an order of this process's own; every write that was said to be recorded."""
    random.Random(os.getpid()).shuffle(states)
    recorded: set[UUID] = set()
    for state in states:
        writer = Writer.objects.get(pk=writer_pk)
        recorded |= set(reports.take_report(writer, wire.State.model_validate_json(state), now).recorded)
    return sorted(recorded)


def answer_all(answers: list[tuple[int, str]], now: dt.datetime) -> None:
    """Books the answers for single writes, as visits do, in an order of this process's own."""
    random.Random(os.getpid()).shuffle(answers)
    for write_pk, answer in answers:
        reports.take_answer(Write.objects.get(pk=write_pk), wire.WriteAnswer.model_validate_json(answer), now)


def attend(writer_pk: int, now: dt.datetime, visits: int) -> None:
    """Visits as if nobody had the lease: two that attend one writer at once must be harmless."""
    for turn in range(visits):
        Writer.objects.filter(pk=writer_pk).update(attended_until=None)
        dispatch.attend(writer_pk, now + dt.timedelta(seconds=turn))


def give_stock(jobs: list[UUID], now: dt.datetime) -> None:
    random.Random(os.getpid()).shuffle(jobs)
    for key in jobs:
        with suppress(allocation.Overtaken):
            allocation.allocate_stock(Job.objects.select_related("image").get(pk=key), now)


def allocate(writes: list[int], now: dt.datetime) -> None:
    random.Random(os.getpid()).shuffle(writes)
    for write in Write.objects.in_bulk(writes).values():
        with suppress(allocation.Overtaken):
            allocation.allocate_write(write, allocation.read_written([write]), now)


def follow(now: dt.datetime) -> int:
    return progress.read(now)


def send_mail(now: dt.datetime, folder: str) -> int:
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = folder
    return outbox.send_waiting(now, limit=200)


def _use(url: str, key: str) -> None:
    settings.STRIPE_API_BASE, settings.STRIPE_SECRET_KEY = url, key


def place(checkout: str, url: str, key: str) -> str | None:
    """The page to pay on, as the other half of a double click gets it."""
    _use(url, key)
    product, service, now = Product.objects.get(), Service.objects.get(key="standard"), timezone.now()
    version = product.title.newest
    assert version is not None
    line = CartLine(product, version, 2, price_line(product.price_minor, 2, settings.SPINDLE_TAX_PERMILLE))
    option = quotes.option([line.wanted], service, "DE", now)
    draft = Draft(UUID(checkout), "zoe@example.com", "", ADDRESS, service.key, None)
    for _ in range(PRESSES):
        try:
            return _place(draft, Summary([line], option))[1]
        except (AlreadyPlaced, PayerUnreachable):  # the other one was quicker just now: the customer presses again
            continue
    return None


def settle(session: str, url: str, key: str) -> str:
    _use(url, key)
    return payments.settle(payer().checkout(session), timezone.now()).value
