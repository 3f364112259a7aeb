"""The agents' door to image files, under each writer's own token."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from django.http.response import HttpResponseBase
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.views import APIView

from archive.serving import serve_image
from devices.api import IsThatWriter, ReportTokenAuthentication
from devices.models import Writer
from fulfillment.files import image_for


class FileView(APIView):
    authentication_classes = [ReportTokenAuthentication]
    permission_classes = [IsThatWriter]

    def get(self, request: Request, writer_uuid: UUID, sha256: str) -> HttpResponseBase:
        """The file with that digest, whole or by `Range`; 404 unless this writer has work that needs it."""
        image = image_for(cast(Writer, request.user), sha256)
        if image is None:
            raise NotFound("This writer has no unfinished write of that image.")
        return serve_image(request._request, image)
