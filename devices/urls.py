"""The addresses of the devices app, below the root."""

from __future__ import annotations

from django.urls import path

from devices.api import EnrolView, ReportView
from devices.staff_api import WritersView, WriterView

app_name = "devices"

urlpatterns = [
    path("api/v1/writers/", WritersView.as_view(), name="writers"),
    path("api/v1/writers/enrol", EnrolView.as_view(), name="enrol"),
    path("api/v1/writers/<uuid:writer_uuid>/", WriterView.as_view(), name="writer"),
    path("api/v1/writers/<uuid:writer_uuid>/report", ReportView.as_view(), name="report"),
]
