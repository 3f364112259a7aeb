"""Orders, payments, prices and mail in the admin: read, search, and follow; states change elsewhere."""

from __future__ import annotations

from typing import Any

from axes.models import AccessAttempt
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from devices.chips import state_chip
from fulfillment.admin import LogInline, ReadOnly, actor, report
from storefront import cancelling, differences, outbox, refunding
from storefront.models import (
    Alert,
    Mail,
    MoneyDifference,
    Order,
    OrderEvent,
    OrderLine,
    Payment,
    Product,
    ProviderEvent,
    Refund,
)
from storefront.payer import PayerRefused, PayerUnreachable
from storefront.pricing import format_plain
from storefront.tasks import nudge_money


class OrderLineInline(admin.TabularInline[OrderLine, Order]):
    model = OrderLine
    fields = readonly_fields = ("version", "format", "copies", "unit_minor", "total_minor")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class OrderEventInline(LogInline):
    model = OrderEvent


@admin.register(Order)
class OrderAdmin(ReadOnly):
    list_display = ["number", "name", "city", state_chip, "total", "received_at", "paid_at", "shown_on", "page"]
    list_filter = ["state", "service"]
    search_fields = ["number", "email", "name", "lines__version__title__title"]
    list_select_related = ["service"]
    date_hierarchy = "received_at"
    inlines = [OrderLineInline, OrderEventInline]

    def view_on_site(self, obj: Order) -> str:
        return obj.get_absolute_url()

    actions = ["cancel", "pay_back", "close_without"]

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("storefront.change_order")

    @admin.action(description="Cancel and pay back, also what is packed", permissions=["operate"])
    def cancel(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        try:
            done = [self._cancel(order, actor(request)) for order in orders]
        except (PayerUnreachable, PayerRefused) as error:
            self.message_user(request, f"Not all are cancelled; try again in a minute. {error}", messages.ERROR)
            return
        nudge_money()
        report(self, request, "cancelled", done)

    def _cancel(self, order: Order, who: str) -> bool:
        outcome = cancelling.cancel(order, actor=who, now=timezone.now(), text="by staff", even_packed=True)
        return outcome in {cancelling.Outcome.CANCELLED, cancelling.Outcome.REQUESTED}

    @admin.action(
        description="Pay back once more (after a refusal, or a dispute that was won)", permissions=["operate"]
    )
    def pay_back(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        done = [cancelling.pay_back(order, timezone.now()) for order in orders]
        nudge_money()
        report(self, request, "being paid back", done)

    @admin.action(description="Close without paying back (a dispute was lost)", permissions=["operate"])
    def close_without(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        now = timezone.now()
        done = [refunding.close_without(order, actor=actor(request), now=now) for order in orders]
        report(self, request, "closed", done)

    @admin.display(description="customer's page")
    def page(self, order: Order) -> SafeString:
        return format_html('<a href="{}">open</a>', order.get_absolute_url())


@admin.register(Payment)
class PaymentAdmin(ReadOnly):
    list_display = ["key", state_chip, "amount_minor", "currency", "created_at", "paid_at"]
    list_filter = ["state"]
    search_fields = ["key", "session", "intent", "order__number"]


@admin.register(Refund)
class RefundAdmin(ReadOnly):
    list_display = ["key", state_chip, "amount_minor", "currency", "elsewhere", "reason", "created_at", "done_at"]
    list_filter = ["state", "elsewhere"]
    search_fields = ["key", "session", "payment__order__number"]


@admin.register(MoneyDifference)
class MoneyDifferenceAdmin(ReadOnly):
    """Where the payer's books and ours don't agree; what is resolved stays to be read."""

    list_display = ["kind", "amount", "why", "order", "source", "found_at", "resolved_at", "resolution"]
    list_filter = [("resolved_at", admin.EmptyFieldListFilter), "kind"]
    search_fields = ["source", "session", "intent", "order__number"]
    list_select_related = ["order"]
    actions = ["pay_back", "looked_at"]

    @admin.display(description="amount", ordering="amount_minor")
    def amount(self, row: MoneyDifference) -> str:
        return format_plain(row.amount_minor, row.currency) + f" {row.currency}" if row.amount_minor else "–"

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("storefront.change_moneydifference")

    @admin.action(description="Pay it back", permissions=["operate"])
    def pay_back(self, request: HttpRequest, rows: QuerySet[MoneyDifference]) -> None:
        done = [refunding.ask_for_difference(row, timezone.now()) is not None for row in rows]
        nudge_money()
        report(self, request, "being paid back", done)

    @admin.action(description="Looked at: it is right as it is", permissions=["operate"])
    def looked_at(self, request: HttpRequest, rows: QuerySet[MoneyDifference]) -> None:
        how, now = f"looked at by {actor(request)}", timezone.now()
        kinds = MoneyDifference.Kind
        done = [differences.resolve(kinds(row.kind), row.source, how, now, by_person=True) for row in rows]
        report(self, request, "closed", done)


@admin.register(Alert)
class AlertAdmin(ReadOnly):
    """What is amiss. Alerts open and close by themselves."""

    list_display = ["kind", state_chip, "text", "opened_at", "closed_at"]
    list_filter = [("closed_at", admin.EmptyFieldListFilter), "kind"]
    search_fields = ["key", "text"]
    date_hierarchy = "opened_at"


@admin.register(ProviderEvent)
class ProviderEventAdmin(ReadOnly):
    list_display = ["event", "kind", "outcome", "received_at"]
    list_filter = ["outcome", "kind"]
    search_fields = ["event", "session"]
    show_full_result_count = False


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin[Product]):
    list_display = ["title", "format", "price", "active"]
    list_filter = ["active", "format"]
    search_fields = ["title__title", "title__part_number"]
    autocomplete_fields = ["title"]
    list_select_related = ["title"]


@admin.register(AccessAttempt)
class AccessAttemptAdmin(admin.ModelAdmin[AccessAttempt]):
    """Wrong passwords of late. Deleting the rows of a user name lets its owner in again at once."""

    list_display = ["username", "ip_address", "failures_since_start", "attempt_time"]
    search_fields = ["username", "ip_address"]
    fields = ["username", "ip_address", "failures_since_start", "attempt_time"]
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Mail)
class MailAdmin(ReadOnly):
    actions = ["send_again"]
    list_display = ["subject", "to", state_chip, "attempts", "reason", "created_at", "sent_at"]
    list_filter = ["state"]
    search_fields = ["to", "subject", "order__number"]
    list_select_related = ["order"]

    @admin.action(description="Try again", permissions=["operate"])
    def send_again(self, request: HttpRequest, mails: QuerySet[Mail]) -> None:
        done = [outbox.send_again(mail, timezone.now()) for mail in mails]
        report(self, request, "will be sent again", done)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("storefront.change_mail")
