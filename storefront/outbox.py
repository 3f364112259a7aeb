"""The one way out for mail: a row first, then the mail. A row is posted in the transaction of what it tells of.

The only module that writes the state of a mail.
"""

from __future__ import annotations

import datetime as dt
import logging
from smtplib import SMTPException
from typing import Any, Final

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import F
from django.template.loader import render_to_string

from storefront.models import Mail, Order

log = logging.getLogger(__name__)

TRIES: Final = 12
LEASE: Final = dt.timedelta(minutes=2)  # a sender that dies leaves the row to the next one after this


def post_confirmation(order: Order, later: bool, now: dt.datetime) -> None:
    _post(order, f"confirmation-{order.number}", f"Your order {order.number}", "confirmation", now, later=later)


def post_new_date(order: Order, arrives_on: dt.date, now: dt.datetime) -> None:
    key = f"date-{order.number}-{arrives_on:%Y%m%d}"
    _post(order, key, f"A new date for your order {order.number}", "new_date", now, arrives_on=arrives_on)


def post_shipped(order: Order, now: dt.datetime) -> None:
    _post(order, f"shipped-{order.number}", f"Your order {order.number} is on its way", "shipped", now)


def _post(order: Order, key: str, subject: str, template: str, now: dt.datetime, **context: Any) -> None:
    text = render_to_string(
        f"mail/{template}.txt", {"order": order, "shop_name": settings.SPINDLE_NAME, "now": now, **context}
    )
    Mail.objects.get_or_create(
        key=key,
        defaults={
            "order": order,
            "to": order.email,
            "subject": subject,
            "text": text,
            "created_at": now,
            "next_try_at": now,
        },
    )


def send_waiting(now: dt.datetime, limit: int = 20) -> int:
    """Sends what is due; returns how many went out. Two senders at once send each mail once."""
    due = Mail.objects.filter(state=Mail.State.WAITING, next_try_at__lte=now).order_by("id")[:limit]
    return sum(_send(mail, now) for mail in due)


def _send(mail: Mail, now: dt.datetime) -> bool:
    claimed = Mail.objects.filter(pk=mail.pk, state=Mail.State.WAITING, attempts=mail.attempts).update(
        attempts=F("attempts") + 1, next_try_at=now + LEASE
    )
    if not claimed:
        return False
    message = EmailMessage(
        subject=mail.subject,
        body=mail.text,
        to=[mail.to],
        # The same id at every try: a receiver that got it twice can tell.
        headers={"Message-ID": f"<{mail.key}@{_domain()}>", "Auto-Submitted": "auto-generated"},
    )
    try:
        message.send()
    except (OSError, SMTPException, ValueError) as error:  # ValueError: an address that no mail can carry
        _postpone(mail, str(error), now)
        return False
    Mail.objects.filter(pk=mail.pk).update(state=Mail.State.SENT, sent_at=now, reason="")
    log.info("mail %s sent", mail.key)
    return True


def _postpone(mail: Mail, reason: str, now: dt.datetime) -> None:
    tries = mail.attempts + 1
    last = tries >= TRIES
    Mail.objects.filter(pk=mail.pk).update(
        state=Mail.State.FAILED if last else Mail.State.WAITING,
        next_try_at=now + dt.timedelta(minutes=min(2**tries, 240)),
        reason=reason[:300],
    )
    log.warning("mail %s not sent (try %s): %s", mail.key, tries, reason)


def _domain() -> str:
    return settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip(">")
