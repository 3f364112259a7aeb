"""The doors that an agent needs, with files served from memory: what fulfillment does in the shop."""

from __future__ import annotations

import re
from typing import Any, Final
from uuid import UUID

from django.http import HttpResponse
from django.urls import include, path
from rest_framework.request import Request
from rest_framework.views import APIView

from devices.api import IsThatWriter, ReportTokenAuthentication

FILES: Final[dict[str, bytes]] = {}


class FileView(APIView):
    authentication_classes = [ReportTokenAuthentication]
    permission_classes = [IsThatWriter]

    def get(self, request: Request, writer_uuid: UUID, sha256: str) -> HttpResponse:
        content = FILES.get(sha256)
        if content is None:
            return HttpResponse(status=404)
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        answer = HttpResponse(content[start:], "application/octet-stream", status=206 if asked else 200)
        if asked:
            answer["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return answer


urlpatterns: list[Any] = [
    path("", include("devices.urls")),
    path("api/v1/writers/<uuid:writer_uuid>/files/<str:sha256>", FileView.as_view()),
]
