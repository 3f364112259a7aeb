"""Guest checkout: one form, one look over everything, then the payer's page."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_countries.fields import Country

from fulfillment import dates, quotes
from fulfillment.quotes import Option
from storefront import orders, payments, wanted_dates
from storefront.cart import Cart, CartLine, goods_total
from storefront.forms import CheckoutForm
from storefront.models import Order
from storefront.orders import AlreadyPlaced, Draft, Summary
from storefront.payer import PayerRefused, PayerUnreachable, payer
from storefront.pricing import MAX_AMOUNT, format_amount

FORM = "checkout"  # what was entered, so that nobody has to enter it twice
KEY = "checkout-key"
MAX_GOODS = MAX_AMOUNT // 2  # leaves room for shipping below what a card can be charged with at once


@require_http_methods(["GET", "HEAD", "POST"])
def details(request: HttpRequest) -> HttpResponse:
    lines = Cart(request.session).lines()
    if not lines:
        return redirect("cart")
    if goods_total(lines) > MAX_GOODS:
        limit = format_amount(MAX_GOODS, settings.SPINDLE_CURRENCY)
        messages.error(request, f"One order comes to {limit} at the most. Lower a number, or order in parts.")
        return redirect("cart")
    now = timezone.now()
    if request.method != "POST":
        form = CheckoutForm(initial=request.session.get(FORM), today=dates.local_date(now))
        return _details_page(request, form, lines)
    form = CheckoutForm(request.POST, today=dates.local_date(now))
    if form.is_valid():
        _check_dates(form, lines)
    if not form.is_valid():
        return _details_page(request, form, lines, status=422)
    request.session[FORM] = {name: request.POST.get(name, "") for name in form.fields}
    return redirect("review")


@require_safe
def options(request: HttpRequest) -> HttpResponse:
    """The ways to ship to a country, with their dates, as a fragment."""
    form = CheckoutForm(initial=request.GET.dict(), today=dates.local_date(timezone.now()))
    lines = Cart(request.session).lines()
    return render(request, "checkout/_options.html", _options_context(form, lines))


@require_safe
def review(request: HttpRequest) -> HttpResponse:
    seen = _draft(request)
    if seen is None:
        return _once_more(request)
    return _review_page(request, *seen)


@require_POST
def pay(request: HttpRequest) -> HttpResponse:
    """Places the order and goes to the payer's page. Clicked twice, it leads to the same page."""
    seen = _draft(request)
    if seen is None:
        return _once_more(request)
    draft, summary = seen
    if request.POST.get("seen") != _fingerprint(draft, summary):
        messages.warning(request, "Something changed since you looked: check the dates and the total once more.")
        return _review_page(request, draft, summary, status=409)
    try:
        order, url = _place(draft, summary)
    except AlreadyPlaced as placed:
        return _already_placed(request, placed.order, orders.content_digest(draft, summary))
    except PayerUnreachable:
        messages.error(request, "The payment page can't be reached now. Nothing was charged; try again in a minute.")
        return _review_page(request, draft, summary, status=503)
    except PayerRefused:
        messages.error(request, "The payment service refused this. Nothing was charged; try again, or write to us.")
        return _review_page(request, draft, summary, status=502)
    if url is None:
        _forget(request)
        return redirect(order)
    return redirect(url)


@require_safe
def cancelled(request: HttpRequest) -> HttpResponse:
    """Back from the payer's page without having paid."""
    messages.info(request, "Nothing was charged. Your cart is as you left it.")
    return redirect("review" if request.session.get(FORM) else "cart")


@require_safe
def paid(request: HttpRequest, token: str) -> HttpResponse:
    """Back from the payer's page. The order may be settled here, by the webhook, or by both: it is the same."""
    order = Order.objects.filter(token=token).first()
    if order is None:
        return redirect("cart")
    payment = order.payments.filter(session=request.GET.get("session", "").replace("\0", "")).first()
    if payment and payment.session:
        try:
            payments.settle(payer().checkout(payment.session), timezone.now())
        except (PayerUnreachable, PayerRefused):  # the webhook will say it; the page says what is known
            messages.info(request, "Your payment is being confirmed. This page follows it.")
    if request.session.get(KEY) == str(order.checkout):
        _forget(request)
    return redirect(order)


def _once_more(request: HttpRequest) -> HttpResponse:
    if request.session.get(FORM):
        messages.warning(request, "Something you entered is no longer right. Check it and go on.")
    return redirect("checkout")


def _already_placed(request: HttpRequest, order: Order, content: str) -> HttpResponse:
    """This checkout has an order that can't be changed any more: perhaps paid in another tab, unheard of here."""
    order.refresh_from_db()
    if order.state == Order.State.AWAITING_PAYMENT:
        return redirect(order)
    request.session.pop(KEY, None)
    if order.payments.filter(content=content).exists():
        Cart(request.session).empty()
        return redirect(order)
    messages.info(request, f"Your order {order.number} is paid. What is in the cart now becomes a new order.")
    return redirect("review")


def _place(draft: Draft, summary: Summary) -> tuple[Order, str | None]:
    content = orders.content_digest(draft, summary)
    try:
        return _place_once(draft, summary, content)
    except AlreadyPlaced as placed:
        # The other half of a double click may have opened the page for this very content meanwhile.
        if not payments.asks_for(placed.order, content):
            raise
        return _place_once(draft, summary, content)


def _place_once(draft: Draft, summary: Summary, content: str) -> tuple[Order, str | None]:
    now = timezone.now()
    order = orders.find(draft.key)
    if order is None or not payments.asks_for(order, content):
        if order and not payments.close_unfinished(order, now, unless=content):
            raise AlreadyPlaced(order)
        order = orders.place(draft, summary, actor="customer", now=now)
    return order, payments.hosted_page(order, content, now)


def _forget(request: HttpRequest) -> None:
    """The checkout is an order now: the next one starts anew, with the address kept for convenience."""
    Cart(request.session).empty()
    request.session.pop(KEY, None)


def _draft(request: HttpRequest) -> tuple[Draft, Summary] | None:
    """What this visitor is about to order; None if something of it is missing or no longer right."""
    lines = Cart(request.session).lines()
    entered = request.session.get(FORM)
    if not lines or not entered or goods_total(lines) > MAX_GOODS:
        return None
    now = timezone.now()
    form = CheckoutForm(entered, today=dates.local_date(now))
    if form.is_valid():
        _check_dates(form, lines)
    if not form.is_valid():
        return None
    key = request.session.setdefault(KEY, str(uuid.uuid4()))
    draft = Draft.of(uuid.UUID(key), form.cleaned_data)
    address = draft.address
    wanted = [line.wanted for line in lines]
    option = quotes.option(wanted, form.cleaned_data["service"], address["country"], now, address["region"])
    return draft, Summary(lines, option)


def _check_dates(form: CheckoutForm, lines: list[CartLine]) -> None:
    """The choices against each other: the service goes to the country, and makes the date wanted."""
    cleaned = form.cleaned_data
    offered = _options(lines, cleaned["country"], cleaned.get("region", ""))
    chosen = next((option for option in offered if option.service == cleaned["service"]), None)
    if chosen is None:
        form.add_error("service", "This way of shipping doesn't go to that country. Choose another.")
    elif problem := wanted_dates.problem(cleaned["wanted_on"], chosen, offered):
        form.add_error("wanted_on", problem)


def _options(lines: list[CartLine], country: str, region: str) -> list[Option]:
    return quotes.options([line.wanted for line in lines], country, timezone.now(), region)


def _options_context(form: CheckoutForm, lines: list[CartLine]) -> dict[str, Any]:
    country = str(form["country"].value() or settings.SPINDLE_COUNTRY)
    offered = _options(lines, country, str(form["region"].value() or ""))
    chosen = form["service"].value() or (offered[0].service.key if offered else "")
    verdict = wanted_dates.verdict(_wanted_on(form), offered)
    return {"form": form, "options": offered, "chosen": chosen, "verdict": verdict}


def _wanted_on(form: CheckoutForm) -> dt.date | None:
    """As far as it is entered; what is no date to come says so at its field when the form is sent."""
    try:
        wanted: dt.date | None = form.fields["wanted_on"].clean(form["wanted_on"].value())
    except ValidationError:
        return None
    return wanted if wanted and wanted >= dates.local_date(timezone.now()) else None


def _details_page(request: HttpRequest, form: CheckoutForm, lines: list[CartLine], status: int = 200) -> HttpResponse:
    context = _options_context(form, lines)
    context |= {"lines": lines, "goods": format_amount(goods_total(lines), settings.SPINDLE_CURRENCY)}
    return render(request, "checkout/details.html", context, status=status)


def _review_page(request: HttpRequest, draft: Draft, summary: Summary, status: int = 200) -> HttpResponse:
    currency = settings.SPINDLE_CURRENCY
    context = {
        "draft": draft,
        "country_name": Country(draft.address["country"]).name,
        "summary": summary,
        "seen": _fingerprint(draft, summary),
        "goods": format_amount(summary.goods_minor, currency),
        "shipping": format_amount(summary.option.price_minor, currency),
        "tax": format_amount(summary.tax_minor, currency),
        "total": format_amount(summary.total_minor, currency),
    }
    return render(request, "checkout/review.html", context, status=status)


def _fingerprint(draft: Draft, summary: Summary) -> str:
    """What the customer must have seen before paying: the goods, the address, the total, the date."""
    return f"{orders.content_digest(draft, summary)}/{summary.option.arrives_on or ''}"
