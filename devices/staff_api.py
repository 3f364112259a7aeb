"""The doors for staff: the resource file of each writer, as JSON. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.utils import timezone
from drf_spectacular.drainage import set_override
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import extend_schema
from pydantic import TypeAdapter
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import NotFound
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from devices import resource_file
from devices.api import ProblemDoor, plain_problems
from devices.models import Writer
from devices.resource_file import WriterFile


@dataclass(frozen=True, slots=True)
class Fleet:
    """All writers, by name."""

    writers: tuple[WriterFile, ...]


_FILE: Final = TypeAdapter(WriterFile)
_FLEET: Final = TypeAdapter(Fleet)


class SeesWriters(BasePermission):
    """Staff who may see writers in the admin may see them here."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        user: Any = request.user
        return bool(user and user.is_active and user.is_staff and user.has_perm("devices.view_writer"))


class StaffDoor(ProblemDoor):
    authentication_classes = [SessionAuthentication]
    permission_classes = [SeesWriters]


class WritersView(StaffDoor):
    @extend_schema(operation_id="writers_list", responses={200: Fleet} | plain_problems(403))
    def get(self, request: Request) -> Response:
        """The resource files of all writers."""
        fleet = Fleet(resource_file.of_all(timezone.now()))
        return Response(_FLEET.dump_python(fleet, mode="json"))


class WriterView(StaffDoor):
    @extend_schema(responses={200: WriterFile} | plain_problems(403, 404))
    def get(self, request: Request, writer_uuid: UUID) -> Response:
        """The resource file of one writer."""
        found = resource_file.of_these(Writer.objects.filter(uuid=writer_uuid), timezone.now())
        if not found:
            raise NotFound("There is no such writer.")
        return Response(_FILE.dump_python(found[0], mode="json"))


class _DataclassSchema(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]  # its base has no types
    """How a frozen tree stands on the OpenAPI page: as pydantic describes it."""

    def get_name(self, auto_schema: AutoSchema, direction: str) -> str:
        # A writer's file is a part of the fleet, too: the same schema, met in two ways.
        set_override(self.target, "suppress_collision_warning", True)
        return str(self.target.__name__)

    def map_serializer(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        schema = TypeAdapter(self.target).json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
        for name, part in schema.pop("$defs", {}).items():
            component = ResolvedComponent(  # type: ignore[no-untyped-call]
                name=name, type=ResolvedComponent.SCHEMA, object=name, schema=part
            )
            auto_schema.registry.register_on_missing(component)
        return schema


class WriterFileSchema(_DataclassSchema):  # type: ignore[no-untyped-call]
    target_class = WriterFile


class FleetSchema(_DataclassSchema):  # type: ignore[no-untyped-call]
    target_class = Fleet
