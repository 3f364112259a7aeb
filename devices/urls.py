"""The addresses of the devices app, below the root."""

from __future__ import annotations

from django.urls import path

from devices.api import ReportView

app_name = "devices"

urlpatterns = [
    path("api/v1/writers/<uuid:writer_uuid>/report", ReportView.as_view(), name="report"),
]
