"""The payer's door: verify, record, settle. It knows no more of the shop."""

from __future__ import annotations

import logging

from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from storefront import differences, payments, refunding
from storefront.models import ProviderEvent
from storefront.payer import BadSignature, Checkout, PayerEvent, PayerRefused, PayerUnreachable, payer
from storefront.payments import Settlement

log = logging.getLogger(__name__)

# Events that tell of money without naming its page.
OF_MONEY = ("payment_intent.succeeded", "charge.refund", "refund.", "charge.dispute.")

# Events that say that money was taken.
TAKEN = {
    "payment_intent.succeeded",
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
}

OUTCOMES = {
    Settlement.SETTLED: ProviderEvent.Outcome.SETTLED,
    Settlement.UNPAID: ProviderEvent.Outcome.IGNORED,
    Settlement.EXPIRED: ProviderEvent.Outcome.EXPIRED,
    Settlement.UNMATCHED: ProviderEvent.Outcome.UNMATCHED,
}


@csrf_exempt
@require_POST
def stripe(request: HttpRequest) -> HttpResponse:
    """2xx only once the event and its effect are kept; anything else makes the payer send it again."""
    try:
        event = payer().verified_event(request.body, request.headers.get("Stripe-Signature", ""))
    except BadSignature as error:
        log.warning("webhook refused: %s", error)
        return JsonResponse({"error": "The signature does not fit this body."}, status=400)
    if ProviderEvent.objects.filter(event=event.id).exists():
        return JsonResponse({"seen": event.id})
    try:
        outcome = _settle(event)
    except (PayerUnreachable, PayerRefused) as error:
        log.warning("webhook %s postponed: %s", event.id, error)
        return JsonResponse({"error": "The payer can't be asked now; send it again."}, status=503)
    return JsonResponse({"outcome": outcome})


def _settle(event: PayerEvent) -> str:
    """Events come in any order, so the page itself is asked; settling and the event's row are one transaction."""
    now = timezone.now()
    not_ours = _not_ours(event)
    checkout = None if not_ours else _page_of(event)
    if checkout is None and event.kind == "payment_intent.succeeded":
        not_ours = not_ours or "it was paid in another way than on a page of this shop"
    if checkout:
        refunding.look_for_failed(checkout, now)
    try:
        with transaction.atomic():
            if not_ours:
                outcome = Settlement.UNMATCHED if event.kind in TAKEN else Settlement.UNPAID
                if event.kind in TAKEN:
                    differences.foreign(event, not_ours, now)
            else:
                outcome = payments.settle(checkout, now) if checkout else Settlement.UNPAID
            if event.kind == "charge.dispute.closed" and event.payment_intent and not not_ours:
                payments.end_dispute(event.payment_intent, now)
            ProviderEvent.objects.create(
                event=event.id,
                kind=event.kind,
                api_version=event.api_version or "",
                session=event.checkout_id or "",
                outcome=OUTCOMES[outcome],
                text=not_ours[:300],
                received_at=now,
            )
    except IntegrityError:
        if not ProviderEvent.objects.filter(event=event.id).exists():
            raise
        return "seen"  # it came twice at once, and the other one is kept
    if outcome is Settlement.UNMATCHED:
        log.error("event %s (%s) fits no order of ours", event.id, event.kind)
    return outcome.value


def _not_ours(event: PayerEvent) -> str:
    """Why the event is not for this shop, though it was signed for it; empty if it is."""
    if event.account and event.account != settings.STRIPE_ACCOUNT:
        return f"it is of another account, {event.account}"
    if event.livemode != settings.SPINDLE_PRODUCTION:
        return f"livemode is {event.livemode}"
    return ""


def _page_of(event: PayerEvent) -> Checkout | None:
    """The page that the event is about, as the payer sees it now; None if it is about something else."""
    if event.checkout_id:
        return payer().checkout(event.checkout_id)
    if event.payment_intent and event.kind.startswith(OF_MONEY):
        return payer().checkout_of(event.payment_intent)
    return None
