"""Which arrival is promised for an order: the date shown, if it still holds when the money comes."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from fulfillment import quotes
from fulfillment.foreseeing import Foreseen
from fulfillment.quotes import Wanted
from storefront.models import Order


@dataclass(frozen=True, slots=True)
class FirstPromise:
    """`later` is true when the date shown at the checkout could not be kept."""

    on: dt.date | None
    plan_run: int | None
    later: bool
    foreseen: Foreseen | None = None


def first_promise(order: Order, now: dt.datetime) -> FirstPromise:
    """A date once shown stands if it holds; it is never moved forward just because the plant got quicker."""
    lines = order.lines.select_related("version__image")
    wanted = [Wanted(line.version.image, line.format, line.copies) for line in lines]
    option = quotes.option(wanted, order.service, str(order.country), now, order.region)
    if option.arrives_on is None or (order.shown_on and option.arrives_on <= order.shown_on):
        return FirstPromise(order.shown_on, order.plan_run_id, later=False, foreseen=option.foreseen)
    later = order.shown_on is not None
    return FirstPromise(option.arrives_on, option.plan_run, later, option.foreseen)
