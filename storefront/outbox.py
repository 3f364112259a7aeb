"""The one way out for mail: a row first, then the mail. A row is posted in the transaction of what it tells of.

The only module that writes the state of a mail.
"""

from __future__ import annotations

import datetime as dt
import logging
from smtplib import SMTPDataError, SMTPRecipientsRefused
from typing import Any, Final

from billiard.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import F
from django.template.loader import render_to_string
from django.urls import reverse

from fulfillment.console import showing
from fulfillment.models import Copy, Shipment
from storefront.models import Alert, Mail, Order
from storefront.pricing import format_amount

log = logging.getLogger(__name__)

TRIES: Final = 12
POISON_TRIES: Final = 3
OF_ONE_MAIL: Final = (SMTPDataError, SMTPRecipientsRefused)  # the server is there, and does not want this one
LEASE: Final = dt.timedelta(minutes=2)  # a sender that dies leaves the row to the next one after this


def post_confirmation(order: Order, later: bool, now: dt.datetime) -> None:
    _post(order, f"confirmation-{order.number}", f"Your order {order.number}", "confirmation", now, later=later)


def post_new_date(order: Order, shipment: Shipment, now: dt.datetime) -> None:
    arrives_on = shipment.estimated_on
    key = f"date-{order.number}-{arrives_on:%Y%m%d}"
    _post(
        order,
        key,
        f"A new date for your order {order.number}",
        "new_date",
        now,
        arrives_on=arrives_on,
        why=shipment.estimate_reason,
    )


def post_shipped(order: Order, now: dt.datetime) -> None:
    _post(order, f"shipped-{order.number}", f"Your order {order.number} is on its way", "shipped", now)


def post_cancelled(order: Order, paid_back: int, now: dt.datetime) -> None:
    subject = f"Your order {order.number} is cancelled and refunded"
    _post(
        order,
        f"cancelled-{order.number}",
        subject,
        "cancelled",
        now,
        paid_back=format_amount(paid_back, order.currency),
    )


def post_alert(alert: Alert, now: dt.datetime) -> None:
    """One mail to the staff for an alert; without SPINDLE_STAFF_MAIL the admin alone shows it."""
    if not settings.SPINDLE_STAFF_MAIL:
        return
    link = settings.SPINDLE_BASE_URL + reverse("admin:storefront_alert_changelist")
    Mail.objects.get_or_create(
        key=f"alert-{alert.pk}",
        defaults={
            "to": settings.SPINDLE_STAFF_MAIL,
            "subject": f"{settings.SPINDLE_NAME}: {alert.kind.replace('-', ' ')}",
            "text": f"{alert.text}\n\nAll that is open: {link}\n",
            "created_at": now,
            "next_try_at": now,
        },
    )


def post_copy_ended(copy: Copy, now: dt.datetime) -> None:
    """To whoever started a copy by hand: how it ended, and what next."""
    word = showing.WORDS[Copy.State(copy.state)]
    context = {"copy": copy, "word": word, "link": settings.SPINDLE_BASE_URL + copy.get_absolute_url()}
    Mail.objects.get_or_create(
        key=f"copy-{copy.pk}",
        defaults={
            "to": copy.email,
            "subject": f"{copy.title}: {word}"[:200],
            "text": render_to_string("mail/copy_ended.txt", context | {"shop_name": settings.SPINDLE_NAME}),
            "created_at": now,
            "next_try_at": now,
        },
    )


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
    due = Mail.objects.filter(state=Mail.State.WAITING, next_try_at__lte=now).order_by("next_try_at", "id")[:limit]
    sent = 0
    for mail in due:
        try:
            sent += _send(mail, now)
        except SoftTimeLimitExceeded:  # the task's time is over, which is not this mail's fault
            _postpone(mail, TimeoutError("The mail server took too long."), now)
            raise
        except OSError as error:
            _postpone(mail, error, now)
            if not isinstance(error, OF_ONE_MAIL):
                break  # the server is away: each of the others would wait for it as long
        except Exception as error:  # whatever is wrong with one mail is noted on it, and the others are sent
            _postpone(mail, error, now)
    return sent


def _send(mail: Mail, now: dt.datetime) -> bool:
    claimed = Mail.objects.filter(pk=mail.pk, state=Mail.State.WAITING, attempts=mail.attempts).update(
        attempts=F("attempts") + 1, next_try_at=now + LEASE
    )
    if not claimed:
        return False
    if mail.attempts >= POISON_TRIES and not mail.reason:
        _postpone(mail, RuntimeError("Each try ended the whole process."), now)
        return False
    message = EmailMessage(
        subject=mail.subject,
        body=mail.text,
        to=[mail.to],
        # The same id at every try: a receiver that got it twice can tell.
        headers={"Message-ID": f"<{mail.key}@{_domain()}>", "Auto-Submitted": "auto-generated"},
    )
    message.send()
    Mail.objects.filter(pk=mail.pk).update(state=Mail.State.SENT, sent_at=now, reason="")
    log.info("mail %s sent", mail.key)
    return True


def _postpone(mail: Mail, error: Exception, now: dt.datetime) -> None:
    """The row keeps the server's words; the log does not, because they name the address."""
    tries = mail.attempts + 1
    # A server that is away comes back within a day or two; what is wrong with the mail itself stays wrong.
    last = tries >= (TRIES if isinstance(error, OSError) else POISON_TRIES)
    Mail.objects.filter(pk=mail.pk).update(
        state=Mail.State.FAILED if last else Mail.State.WAITING,
        next_try_at=now + dt.timedelta(minutes=min(2**tries, 240)),
        reason=str(error)[:300],
    )
    log.warning("mail %s not sent (try %s): %s", mail.key, tries, error)


def send_again(mail: Mail, now: dt.datetime) -> bool:
    """A mail that was given up → waiting: somebody mended what was wrong."""
    failed = Mail.objects.filter(pk=mail.pk, state=Mail.State.FAILED)
    return bool(failed.update(state=Mail.State.WAITING, attempts=0, next_try_at=now, reason=""))


def _domain() -> str:
    return settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip(">")
