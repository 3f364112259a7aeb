"""Every address of the shop."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

from storefront.views import cart, checkout, health, orders, shop, webhooks

urlpatterns = [
    path("healthz", health.alive, name="alive"),
    path("readyz", health.ready, name="ready"),
    path("metrics", health.metrics, name="metrics"),
    path("", shop.front, name="shop"),
    path("titles/<slug:part_number>/", shop.title, name="title"),
    path("titles/<slug:part_number>/dates/", shop.title_dates, name="title-dates"),
    path("cart/", cart.show, name="cart"),
    path("cart/add/", cart.add, name="cart-add"),
    path("cart/<int:product_id>/change/", cart.change, name="cart-change"),
    path("cart/<int:product_id>/remove/", cart.remove, name="cart-remove"),
    path("checkout/", checkout.details, name="checkout"),
    path("checkout/options/", checkout.options, name="checkout-options"),
    path("checkout/review/", checkout.review, name="review"),
    path("checkout/pay/", checkout.pay, name="pay"),
    path("checkout/cancelled/", checkout.cancelled, name="checkout-cancelled"),
    path("checkout/paid/<slug:token>/", checkout.paid, name="paid"),
    path("orders/<slug:token>/", orders.show, name="order"),
    path("orders/<slug:token>/cancel/", orders.cancel, name="order-cancel"),
    path("orders/<slug:token>/progress/", orders.progress, name="order-progress"),
    path("stripe/webhook/", webhooks.stripe, name="stripe-webhook"),
    path("", include("fulfillment.urls")),
    path("", include("devices.urls")),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("admin/", admin.site.urls),
]
