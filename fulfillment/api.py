"""The agents' door to image files, under each writer's own token."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from archive.serving import CONTENT_TYPE, serve_image
from devices.agent import wire
from devices.api import WriterDoor, problem, problems
from devices.models import Writer
from fulfillment.files import image_for


class FileView(WriterDoor):
    @extend_schema(
        parameters=[
            OpenApiParameter("sha256", str, OpenApiParameter.PATH, pattern=wire.SHA256_PATTERN),
            OpenApiParameter("Range", str, OpenApiParameter.HEADER, description="One range, as bytes=first-last."),
        ],
        responses={(status, CONTENT_TYPE): OpenApiTypes.BINARY for status in (200, 206, 416)} | problems(404, 503),
    )
    def get(self, request: Request, writer_uuid: UUID, sha256: str) -> HttpResponseBase:
        """The file with that digest, whole or by `Range`; 404 unless this writer has work that needs it."""
        image = image_for(cast(Writer, request.user), sha256) if wire.IS_SHA256.match(sha256) else None
        if image is None:
            raise NotFound("This writer has no unfinished work with that image.")
        try:
            return serve_image(request._request, image)
        except FileNotFoundError:  # an operator can put it back: the agent asks again after any 5xx
            return problem(503, "image-gone", f"The file of image {sha256} is not in the archive's folder.")
