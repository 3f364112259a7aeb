"""The hosted page: what the customer sees and types. Works without JavaScript and without cookies.

Never echoes, logs or keeps a card number, a security code or an account number.
"""

from __future__ import annotations

import json
import logging
import re
import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.shortcuts import render
from django.utils.encoding import iri_to_uri

from storefront.standin import paying, program
from storefront.standin.api import unrecognized
from storefront.standin.cards import (
    IBAN_THAT_FAILS,
    IBAN_THAT_PAYS,
    TEST_CARDS,
    Card,
    Errors,
    read_card,
)
from storefront.standin.errors import StripeError
from storefront.standin.ledger import Row
from storefront.standin.money import shown
from storefront.standin.paying import Attempt, Outcome, Person
from storefront.standin.sessions import EMAIL, find_session

log = logging.getLogger("standin")


def pay(request: HttpRequest, session_id: str) -> HttpResponse:
    session = _session(request, session_id)
    if session is None:
        return not_found(request)
    if request.method != "POST":
        return _form(request, session) if request.method in {"GET", "HEAD"} else HttpResponseNotAllowed(["GET", "POST"])
    if session["status"] != "open":  # a second click, or another tab: no need to look at what was typed
        return _answer(request, session, Attempt(Outcome.PAID if session["status"] == "complete" else Outcome.CLOSED))
    card = read_card(
        request.POST.get("number", ""),
        request.POST.get("expiry", ""),
        request.POST.get("cvc", ""),
        datetime.now(UTC).date(),
    )
    errors = card if isinstance(card, dict) else {}
    person = _person(request, session, "", errors)
    if errors or not isinstance(card, Card):
        return _form(request, session, errors, status=400)
    standin = program.of(request)
    with standin.ledger.writing() as ledger:
        attempt = paying.pay_by_card(ledger, session_id, card, person, standin.happening())
    return _answer(request, session, attempt)


def pay_by_bank(request: HttpRequest, session_id: str) -> HttpResponse:
    """The delayed method: the session completes now, the money comes or fails later."""
    standin = program.of(request)
    session = _session(request, session_id)
    after = standin.config.bank_debit
    if session is None or after is None or "sepa_debit" not in json.loads(session["asked"])["payment_method_types"]:
        return not_found(request)
    if request.method != "POST":
        return _redirect(f"/c/pay/{session_id}")
    errors: Errors = {}
    person = _person(request, session, "bank_", errors)
    iban = re.sub(r"\s", "", request.POST.get("iban", "")).upper()
    if iban not in {IBAN_THAT_PAYS, IBAN_THAT_FAILS}:
        errors["iban"] = "Only the test account numbers below work here. Never enter a real one."
    if errors:
        return _form(request, session, bank_errors=errors, status=400)
    with standin.ledger.writing() as ledger:
        attempt = paying.pay_by_bank(
            ledger, session_id, iban[-4:], iban == IBAN_THAT_PAYS, after, person, standin.happening()
        )
    return _answer(request, session, attempt)


def authenticate(request: HttpRequest, session_id: str) -> HttpResponse:
    """The bank's page of 3-D Secure."""
    session = _session(request, session_id)
    if session is None:
        return not_found(request)
    if request.method == "POST":
        standin = program.of(request)
        passed = request.POST.get("answer") == "complete"
        with standin.ledger.writing() as ledger:
            attempt = paying.authenticate(ledger, session_id, passed, standin.happening())
        return _answer(request, session, attempt)
    if session["status"] != "open":
        return _form(request, session)
    return _page(request, session, "standin/authenticate.html", {})


def _session(request: HttpRequest, session_id: str) -> Row | None:
    with program.of(request).ledger.reading() as ledger:
        try:
            return find_session(ledger, session_id)
        except StripeError:
            return None


def _person(request: HttpRequest, session: Row, prefix: str, errors: Errors) -> Person:
    name = " ".join(request.POST.get(f"{prefix}name", "").split())
    email = json.loads(session["asked"])["customer_email"] or request.POST.get(f"{prefix}email", "").strip()
    if not name:
        errors["name"] = "Enter the name."
    elif len(name) > 120:
        errors["name"] = "A name has at most 120 characters."
    if not EMAIL.fullmatch(email):
        errors["email"] = "Enter an e-mail address like anna@example.org."
    return Person(name, email)


def _answer(request: HttpRequest, session: Row, attempt: Attempt) -> HttpResponse:
    """After a try: on to the shop, to the bank, or back to the form with what went wrong."""
    program.of(request).news.set()
    session_id = session["id"]
    if attempt.outcome is Outcome.PAID:
        log.info("session %s is complete: %s", session_id, session["client_reference_id"])
        return _redirect(_success_url(session))
    if attempt.outcome is Outcome.AUTHENTICATE:
        return _redirect(f"/c/pay/{session_id}/authenticate")
    if attempt.decline is None:
        return _closed(request, session, "expired")
    log.info("session %s: payment refused, %s", session_id, attempt.decline.decline_code or attempt.decline.code)
    return _form(request, session, {attempt.decline.field: attempt.decline.message}, status=402)


def _success_url(session: Row) -> str:
    url: str = json.loads(session["asked"])["success_url"]
    return url.replace("{CHECKOUT_SESSION_ID}", session["id"])


def _redirect(url: str) -> HttpResponse:
    # 303, so that a reload of the next page never sends the form again.
    return HttpResponse(status=303, headers={"Location": iri_to_uri(url), "Cache-Control": "no-store"})


def _form(
    request: HttpRequest,
    session: Row,
    errors: Errors | None = None,
    *,
    bank_errors: Errors | None = None,
    status: int = 200,
) -> HttpResponse:
    if session["status"] == "complete":
        return _closed(request, session, "complete")
    if session["status"] == "expired" or session["expires_at"] <= time.time():
        return _closed(request, session, "expired")
    # Only these may come back to the page; a number or a code never does.
    typed = {name: request.POST.get(name, "") for name in ("name", "email", "bank_name", "bank_email")}
    bank = program.of(request).config.bank_debit is not None
    context = {
        "errors": errors or {},
        "bank_errors": bank_errors or {},
        "typed": typed,
        "bank_debit": bank,
        "test_cards": [(_grouped(card.number), card.says) for card in TEST_CARDS],
        "ibans": ((_grouped(IBAN_THAT_PAYS), "pays"), (_grouped(IBAN_THAT_FAILS), "fails later")) if bank else (),
    }
    return _page(request, session, "standin/pay.html", context, status)


def _grouped(number: str) -> str:
    """As it is printed on the card or the statement: in fours, and 4-6-5 for the 15 digits of an Amex."""
    if len(number) == 15:
        return f"{number[:4]} {number[4:10]} {number[10:]}"
    return " ".join(number[start : start + 4] for start in range(0, len(number), 4))


def _closed(request: HttpRequest, session: Row, state: str) -> HttpResponse:
    context = {"state": state, "success_url": _success_url(session)}
    return _page(request, session, "standin/closed.html", context, 200 if state == "complete" else 410)


def _page(
    request: HttpRequest, session: Row, template: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    asked, currency = json.loads(session["asked"]), session["currency"]
    lines = [
        {
            "name": line["name"],
            "quantity": line["quantity"],
            "each": shown(line["unit_amount"], currency),
            "total": shown(line["unit_amount"] * line["quantity"], currency),
        }
        for line in asked["lines"]
    ]
    shared = {
        "merchant": program.of(request).config.merchant,
        "session_id": session["id"],
        "lines": lines,
        "total": shown(session["amount_total"], currency),
        "email": asked["customer_email"],
        "cancel_url": asked["cancel_url"],
        "reference": session["client_reference_id"],
    }
    response = render(request, template, shared | context, status=status)
    # Browsers hold a form's redirect to this list, and paying redirects to the shop.
    urls = [url for url in (asked["success_url"], asked["cancel_url"]) if url]
    return _guarded(response, sorted({f"{part.scheme}://{part.netloc}" for part in map(urlsplit, urls)}))


def _guarded(response: HttpResponse, form_targets: list[str]) -> HttpResponse:
    targets = " ".join(["'self'", *form_targets])
    response["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action {targets}"
    )
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def front(request: HttpRequest) -> HttpResponse:
    return _guarded(render(request, "standin/front.html", {"merchant": program.of(request).config.merchant}), [])


@cache
def _css() -> bytes:
    return (Path(__file__).parent / "standin.css").read_bytes()


def stylesheet(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(_css(), content_type="text/css; charset=utf-8", headers={"Cache-Control": "max-age=60"})


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if request.path.startswith("/v1"):
        error = unrecognized(request)
        return JsonResponse(error.body(), status=error.status)
    return _guarded(render(request, "standin/missing.html", {}, status=404), [])


def broken(_request: HttpRequest) -> HttpResponse:
    error = StripeError("An unknown error occurred in the stand-in; its log says more.", error_type="api_error")
    return JsonResponse(error.body(), status=500)
