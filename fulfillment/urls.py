from __future__ import annotations

from django.urls import path

from fulfillment.api import FileView

urlpatterns = [
    path("api/v1/writers/<uuid:writer_uuid>/files/<path:sha256>", FileView.as_view(), name="writer-file"),
]
