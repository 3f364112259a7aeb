"""Orders, payments, prices and mail in the admin: read, search, and follow; states change elsewhere."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from devices.chips import state_chip
from fulfillment.admin import LogInline, ReadOnly
from storefront.models import Mail, Order, OrderEvent, OrderLine, Payment, Product, ProviderEvent


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

    @admin.display(description="customer's page")
    def page(self, order: Order) -> SafeString:
        return format_html('<a href="{}">open</a>', order.get_absolute_url())


@admin.register(Payment)
class PaymentAdmin(ReadOnly):
    list_display = ["key", state_chip, "amount_minor", "currency", "created_at", "paid_at"]
    list_filter = ["state"]
    search_fields = ["key", "session", "intent", "order__number"]


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


@admin.register(Mail)
class MailAdmin(ReadOnly):
    list_display = ["subject", "to", state_chip, "attempts", "reason", "created_at", "sent_at"]
    list_filter = ["state"]
    search_fields = ["to", "subject", "order__number"]
    list_select_related = ["order"]
