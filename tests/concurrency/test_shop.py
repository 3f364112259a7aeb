"""One order placed, paid, followed and written about by several processes at once."""

from __future__ import annotations

import datetime as dt
import uuid
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from fulfillment import rolling
from fulfillment.models import Job, Shipment
from storefront.models import Mail, Order, Payment
from tests.concurrency import doings
from tests.concurrency.crowd import SIZE, Crowd
from tests.scene import NOW, Plant, make_title
from tests.storefront.standin.asking import submit
from tests.storefront.standin.running import running_standin

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

CARD = "4242424242424242"


def test_a_mail_is_sent_once_however_many_send(crowd: Crowd, transactional_db: None, tmp_path: Path) -> None:
    Mail.objects.bulk_create(
        Mail(key=f"k-{number}", to="zoe@example.com", subject="s", text="t", created_at=NOW, next_try_at=NOW)
        for number in range(60)
    )
    counts = crowd.all(doings.send_mail, NOW, str(tmp_path))
    assert sum(counts) == 60
    assert Mail.objects.filter(state="sent", attempts=1).count() == 60
    written = "".join(path.read_text() for path in tmp_path.glob("*.log"))
    assert written.count("Message-ID: ") == 60


def test_one_checkout_placed_paid_and_settled_by_all_at_once_is_one_of_each(
    crowd: Crowd, plant: Plant, tmp_path: Path, settings: Settings
) -> None:
    make_title()
    plant.now = timezone.now()
    plant.report()
    rolling.roll(plant.now)
    checkout = str(uuid.uuid4())
    with running_standin(tmp_path) as standin:
        wire = (standin.url, standin.key)
        pages = crowd.all(doings.place, checkout, *wire)
        assert len(set(pages)) == 1
        assert (Order.objects.count(), Payment.objects.count()) == (1, 1)
        submit(pages[0], CARD)
        order = Order.objects.get()
        settled = crowd.all(doings.settle, order.payments.get().session, *wire)
        assert settled == ["settled"] * SIZE
        assert standin.rows("SELECT count(*) FROM charges WHERE status = 'succeeded'") == [{"count(*)": 1}]
    order.refresh_from_db()
    assert order.state == Order.State.PAID
    assert (Shipment.objects.count(), Job.objects.count(), Mail.objects.count()) == (1, 1, 1)
    assert order.events.filter(new="paid").count() == 1
    plant.make_all()
    assert sum(crowd.all(doings.follow, plant.now)) >= 1
    crowd.all(doings.follow, plant.now + dt.timedelta(seconds=2))
    order.refresh_from_db()
    assert order.state == Order.State.READY
    assert list(order.events.values_list("new", flat=True)) == ["awaiting-payment", "paid", "in-production", "ready"]
