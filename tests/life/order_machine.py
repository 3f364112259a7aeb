"""Orders and their money: one customer with two tabs, a payer whose every word may be late, doubled or lost, and staff.

The model is what the payer's own ledger and the customer know: what was charged, for what, and what was shown.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from django.db import connection
from django.test import Client
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from devices import dispatch, reports, visits
from devices.models import Trouble
from fulfillment import operators, tick
from fulfillment.models import Job, Shipment
from storefront import cancelling, open_pages, progress, reconciling, refunding
from storefront.lifecycle import ORDER_TRANSITIONS, PAYMENT_TRANSITIONS, REFUND_TRANSITIONS
from storefront.models import Mail, MoneyDifference, Order, OrderEvent, Payment, Product, Refund
from storefront.payer import PayerRefused, PayerUnreachable
from tests.life.folding import Fold
from tests.life.job_machine import Station
from tests.life.near_payer import DECLINED, GOOD, Till
from tests.life.series import Life
from tests.scene import NOW
from tests.storefront.shopping import BUYER, put

ACTOR: Final = "user:1 Anna"
TABS = st.integers(0, 1)
ANY = st.integers(0, 1000)
S, P = Order.State, Payment.State
COMING: Final = {S.PAID, S.IN_PRODUCTION, S.READY, S.SHIPPED}
UNPAID: Final = {S.AWAITING_PAYMENT}


class Clock:
    now = NOW

    def __call__(self) -> dt.datetime:
        return self.now


class OrderLife(Life):
    """`products` are for sale, `station` makes discs; `racing` happens where a settlement is easily overtaken."""

    products: Sequence[Product]
    station: Station
    clock: Clock
    open_till: Callable[[], Till]

    def begin(self) -> None:
        self.clock.now = NOW
        self.till = type(self).open_till()
        self.till.depth = len(connection.savepoint_ids)
        self.station.agent.begin_anew()
        self.client = Client()
        self.seen: list[str] = ["", ""]  # what each tab's review page showed
        self.shown: list[str] = []  # sessions whose page the customer was sent to
        self.sold: dict[str, tuple[Any, ...]] = {}  # by session: what the order was when its money was taken
        self.orders = Fold(
            OrderEvent.objects.values_list("pk", "order", "old", "new"),
            Order.objects.values_list("pk", "state"),
            ORDER_TRANSITIONS,
            stays=True,
        )
        self.payments: dict[int, str] = {}
        self.refunds: dict[int, str] = {}

    @property
    def now(self) -> dt.datetime:
        return self.clock.now

    # --- The customer -------------------------------------------------------------------------------

    @initialize(copies=st.integers(1, 3))
    def first_cart(self, copies: int) -> None:
        self.fill_cart(0, copies)
        self.look_and_pay(0)

    @rule(product=st.integers(0, 1), copies=st.integers(1, 3), told=st.sampled_from(["land", "webhook", "both", ""]))
    def buy(self, product: int, copies: int, told: str) -> None:
        """All the way to the payer's page and through it; who tells the shop, and when, is another matter."""
        self.fill_cart(product, copies)
        self.look_and_pay(0)
        if self.shown:
            self.pay_on_page(-1, GOOD)
        if told in {"webhook", "both"}:
            self.webhook_arrives(-1, 1)
        if told in {"land", "both"} and self.shown:
            self.land(-1)

    @rule(product=st.integers(0, 1), copies=st.integers(1, 3))
    def fill_cart(self, product: int, copies: int) -> None:
        """In whichever tab: the cart is one."""
        put(self.client, self.products[product], copies)
        assert self.client.post("/checkout/", BUYER).status_code == 302

    @rule(tab=TABS)
    def look(self, tab: int) -> None:
        answer = self.client.get("/checkout/review/")
        if answer.status_code == 200:
            self.seen[tab] = answer.context["seen"]

    @rule(tab=TABS)
    def pay(self, tab: int) -> None:
        """Presses «Pay» on what that tab showed, however old it is."""
        answer = self.client.post("/checkout/pay/", {"seen": self.seen[tab]})
        assert answer.status_code in {302, 409, 502, 503}, answer.content
        self._follow(str(answer.headers.get("Location", "")))

    @rule(tab=TABS)
    def look_and_pay(self, tab: int) -> None:
        self.look(tab)
        self.pay(tab)

    @precondition(lambda self: self.shown)
    @rule(which=ANY, card=st.sampled_from([GOOD, GOOD, DECLINED]))
    def pay_on_page(self, which: int, card: Any) -> None:
        session = self._one(self.shown, which)
        before = len(self.till.charges())
        self.till.pay(session, card)
        if len(self.till.charges()) > before:
            self.sold[session] = self._content(self._order_of(session))

    @precondition(lambda self: self.shown)
    @rule(which=ANY)
    def land(self, which: int) -> None:
        session = self._one(self.shown, which)
        order = self._order_of(session)
        answer = self.client.get(f"/checkout/paid/{order.token}/", {"session": session})
        assert answer.status_code == 302

    def customer_cancels(self, which: int) -> None:
        if order := self._any_order(which):
            assert self.client.post(f"/orders/{order.token}/cancel/").status_code == 302

    # --- The payer ----------------------------------------------------------------------------------

    @rule(which=ANY, times=st.integers(1, 3))
    def webhook_arrives(self, which: int, times: int) -> None:
        """Any event there ever was: late, again, out of order."""
        if webhooks := self.till.webhooks():
            for _ in range(times):
                self._deliver(*self._one(webhooks, which))

    @rule(losses=st.lists(st.sampled_from(["before", "after", ""]), min_size=1, max_size=3))
    def line_fails(self, losses: list[str]) -> None:
        self.till.losses.extend(losses)

    @rule(which=ANY, part=st.sampled_from([1, 100]))
    def somebody_pays_back_at_the_payers(self, which: int, part: int) -> None:
        left = [row for row in self.till.charges() if row["amount"] > row["amount_refunded"]]
        if left:
            row = self._one(left, which)
            rest = row["amount"] - row["amount_refunded"]
            self.till.refund_by_hand(row["intent"], max(1, rest * part // 100))

    @rule(which=ANY, other=st.sampled_from(["webhook", "pay", "paid", "cancel", "land", "tick"]), where=st.booleans())
    def two_things_at_once(self, which: int, other: str, where: bool) -> None:
        """The next call to the payer, or the next settlement, is overtaken by something else."""
        if where:
            self.till.meanwhile = partial(self._do, other, which)
        else:
            self.racing = partial(self._do, other, which)

    def _do(self, what: str, which: int) -> None:
        match what:
            case "webhook":
                self.webhook_arrives(which, 1)
            case "pay":
                self.look_and_pay(which % 2)
            case "paid" if self.shown:
                self.pay_on_page(which, GOOD)
            case "land" if self.shown:
                self.land(which)
            case "cancel":
                self.customer_cancels(which)
            case "tick":
                self.tick(1)

    racing: Callable[[], object] | None = None

    def overtaken(self) -> None:
        """Called inside a settlement, between its first look and its transaction; a webhook's is in one already."""
        if (racing := self.racing) and len(connection.savepoint_ids) == self.till.depth:
            self.racing = None
            racing()

    # --- The shop -------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 70, 3600, 7300]))
    def tick(self, seconds: int) -> None:
        """Time goes on for all: pages expire, and every tick of the shop runs."""
        self.clock.now += dt.timedelta(seconds=seconds)
        self.till.expire_overdue()
        progress.read(self.now)
        open_pages.look_again(self.now)
        open_pages.close_needless(self.now)
        refunding.send_due(self.now)

    @rule()
    def reconcile(self) -> None:
        try:
            list(reconciling.reconcile(self.now - dt.timedelta(days=2), self.now))
        except PayerUnreachable:
            return

    @rule(which=ANY, by=st.sampled_from(["customer", "staff", "staff, though packed", "staff, paying back again"]))
    def cancel(self, which: int, by: str) -> None:
        order = self._any_order(which)
        if by == "customer" or order is None:
            return self.customer_cancels(which)
        if by == "staff, paying back again":
            cancelling.pay_back(order, self.now)
            return None
        try:
            cancelling.cancel(order, actor=ACTOR, now=self.now, even_packed="packed" in by)
        except (PayerUnreachable, PayerRefused):
            return None  # the page can't be closed: nothing was changed
        return None

    @rule()
    def discs_are_made(self) -> None:
        for _ in range(2):
            tick.run(self.now)
            for pk in visits.due(self.now):
                dispatch.attend(pk, self.now)
            self.station.agent.finish_all()
            self.station.agent.take_answer(
                reports.take_report(self.station.writer, self.station.agent.state(), self.now)
            )
        tick.run(self.now)
        progress.read(self.now)

    @rule(verb=st.sampled_from([operators.pack, operators.ship]))
    def parcels_go_on(self, verb: Any) -> None:
        for shipment in Shipment.objects.order_by("received_at", "pk"):
            verb(shipment, ACTOR, self.now)
        progress.read(self.now)

    # --- What always holds ------------------------------------------------------------------------------

    def check(self) -> None:
        self._check_moves()
        self._check_charges()
        self._check_orders()

    def _check_moves(self) -> None:
        """Every state moves as its table says; the order's is the fold of its log."""
        self.orders.look()
        self.payments = _moved(self.payments, Payment, PAYMENT_TRANSITIONS)
        self.refunds = _moved(self.refunds, Refund, REFUND_TRANSITIONS)

    def _check_charges(self) -> None:
        """Nobody is charged twice, and nothing fell out of a tick or was done inside a transaction."""
        charged = Counter(row["reference"].rpartition("-")[0] for row in self.till.charges())
        assert all(times == 1 for times in charged.values()), charged
        assert not self.till.faults, self.till.faults
        assert not Trouble.objects.exists(), list(Trouble.objects.values())

    def _check_orders(self) -> None:
        """An order is paid exactly when its money is there, and has one mail of each kind."""
        charges = {row["session"]: row for row in self.till.charges()}
        mails = Counter(Mail.objects.values_list("key", flat=True))
        for order in Order.objects.prefetch_related("payments", "lines").select_related("shipment"):
            paid = [payment for payment in order.payments.all() if payment.state == P.PAID]
            open_ = [payment for payment in order.payments.all() if payment.state in Payment.UNFINISHED]
            assert len(open_) <= 1
            assert len(paid) <= 1
            assert bool(paid) == bool(order.paid_at)
            assert paid or order.state in {S.AWAITING_PAYMENT, S.CANCELLED}
            assert not paid or order.state != S.AWAITING_PAYMENT
            assert mails[f"confirmation-{order.number}"] == len(paid)
            assert mails[f"shipped-{order.number}"] == (order.state == S.SHIPPED)
            assert mails[f"cancelled-{order.number}"] == (order.state == S.CANCELLED and bool(paid))
            if paid:
                self._check_paid(order, paid[0], charges[paid[0].session])
            else:
                assert order.shipment is None

    def _check_paid(self, order: Order, payment: Payment, charge: Any) -> None:
        assert charge["amount"] == payment.amount_minor == order.total_minor
        assert charge["reference"] == payment.key
        assert self.sold[charge["session"]] == self._content(order)
        assert order.shipment
        jobs = Job.objects.filter(shipment=order.shipment).values_list("reference", "copies", "format")
        assert sorted(jobs) == sorted((line.reference, line.copies, line.format) for line in order.lines.all())
        if order.state == S.CANCELLED:
            assert charge["amount_refunded"] == charge["amount"]
        if order.state in {S.CANCELLED, S.CANCELLATION_REQUESTED}:
            assert order.shipment.state == "cancelled"
        else:
            assert not payment.refunds.filter(elsewhere=False).exists(), "paid back without being cancelled"

    # --- When all is quiet --------------------------------------------------------------------------------

    def end(self) -> None:
        """The payer is reached again and tells everything once more; then a second comparison has nothing to mend."""
        self.till.losses.clear()
        self.till.meanwhile = self.racing = None
        for webhook in reversed(self.till.webhooks()):
            assert self._deliver(*webhook) == 200
        for _ in range(3):
            self.tick(4000)
        list(reconciling.reconcile(self.now - dt.timedelta(days=30), self.now))
        self.check()
        self._check_every_charge()
        again = list(reconciling.reconcile(self.now - dt.timedelta(days=30), self.now))
        assert [difference for difference in again if difference.mended] == []

    def _check_every_charge(self) -> None:
        """What was taken is booked, or has gone back, or somebody is told; what was stopped has gone back."""
        booked = {payment.session for payment in Payment.objects.filter(state=P.PAID)}
        told = set(MoneyDifference.objects.values_list("session", flat=True))
        for row in self.till.charges():
            assert row["session"] in booked | told or row["amount_refunded"] == row["amount"], dict(row)
        assert not Order.objects.filter(state=S.CANCELLATION_REQUESTED).exists()
        assert not Refund.objects.filter(state=Refund.State.ASKED).exists()

    # --- Odds and ends ------------------------------------------------------------------------------------

    def _deliver(self, body: bytes, signed: str) -> int:
        answer = self.client.post(
            "/stripe/webhook/", body, content_type="application/json", headers={"Stripe-Signature": signed}
        )
        assert answer.status_code in {200, 503}, answer.content
        return int(answer.status_code)

    def _follow(self, address: str) -> None:
        session = address.rpartition("/c/pay/")[2]
        if "/c/pay/" in address and session not in self.shown:
            self.shown.append(session)

    def _order_of(self, session: str) -> Order:
        reference = self.till.rows(f"SELECT client_reference_id AS it FROM sessions WHERE id = '{session}'")[0]["it"]  # noqa: S608  (our own id)
        return Order.objects.get(payments__key=reference)

    def _content(self, order: Order) -> tuple[Any, ...]:
        lines = sorted(order.lines.values_list("version", "format", "copies", "total_minor"))
        return order.total_minor, order.currency, order.email, order.line1, lines

    def _any_order(self, which: int) -> Order | None:
        orders = list(Order.objects.order_by("pk"))
        return self._one(orders, which) if orders else None

    @staticmethod
    def _one(choices: Sequence[Any], which: int) -> Any:
        return choices[which % len(choices)]


def _moved(before: dict[int, str], model: Any, table: Any) -> dict[int, str]:
    """The states now; each must be reachable by the table from what it was at the last look."""
    now = dict(model.objects.values_list("pk", "state"))
    for pk, state in now.items():
        assert pk not in before or state in _reachable(before[pk], table), f"{model.__name__} {before[pk]} → {state}"
    assert before.keys() <= now.keys()
    return now


def _reachable(state: str, table: Any) -> set[str]:
    found, todo = {state}, [state]
    while todo:
        new = {str(each) for each in table[todo.pop()]} - found
        found |= new
        todo += new
    return found
