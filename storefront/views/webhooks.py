"""The payer's door: verify, record, settle. It knows no more of the shop."""

from __future__ import annotations

import logging

from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from storefront import payments
from storefront.models import ProviderEvent
from storefront.payer import BadSignature, PayerEvent, PayerRefused, PayerUnreachable, payer
from storefront.payments import Settlement

log = logging.getLogger(__name__)

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
    """Events come in any order, so the session itself is asked; settling and the event's row are one transaction."""
    checkout = payer().checkout(event.checkout_id) if event.checkout_id else None
    now = timezone.now()
    try:
        with transaction.atomic():
            outcome = payments.settle(checkout, now) if checkout else Settlement.UNPAID
            ProviderEvent.objects.create(
                event=event.id,
                kind=event.kind,
                session=event.checkout_id or "",
                outcome=OUTCOMES[outcome],
                received_at=now,
            )
    except IntegrityError:
        if not ProviderEvent.objects.filter(event=event.id).exists():
            raise
        return "seen"  # it came twice at once, and the other one is kept
    if outcome is Settlement.UNMATCHED:
        log.error("event %s (%s) fits no order of ours", event.id, event.kind)
    return outcome.value
