"""Every address of the stand-in."""

from __future__ import annotations

from django.urls import path

from storefront.standin import endpoints, pages
from storefront.standin.api import api

handler404 = "storefront.standin.pages.not_found"
handler500 = "storefront.standin.pages.broken"

urlpatterns = [
    path("v1/checkout/sessions", api(get=endpoints.list_sessions, post=endpoints.create_session)),
    path("v1/checkout/sessions/<str:object_id>", api(get=endpoints.retrieve_session)),
    path("v1/checkout/sessions/<str:object_id>/line_items", api(get=endpoints.list_line_items)),
    path("v1/checkout/sessions/<str:object_id>/expire", api(post=endpoints.expire_session)),
    path("v1/payment_intents/<str:object_id>", api(get=endpoints.retrieve_intent)),
    path("v1/charges/<str:object_id>", api(get=endpoints.retrieve_charge)),
    path("v1/refunds", api(get=endpoints.list_refunds, post=endpoints.create_refund)),
    path("v1/refunds/<str:object_id>", api(get=endpoints.retrieve_refund)),
    path("v1/events", api(get=endpoints.list_events)),
    path("v1/events/<str:object_id>", api(get=endpoints.retrieve_event)),
    path("v1/account", api(get=endpoints.retrieve_account)),
    path("v1/balance", api(get=endpoints.retrieve_balance)),
    path("c/pay/<str:session_id>", pages.pay),
    path("c/pay/<str:session_id>/bank", pages.pay_by_bank),
    path("c/pay/<str:session_id>/authenticate", pages.authenticate),
    path("standin.css", pages.stylesheet),
    path("", pages.front),
]
