"""The door for agents: reports come in here, under the writer's own report token.

Reads and answers messages; what a report means is decided in `reports.py`.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

from django.core.exceptions import RequestDataTooBig
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import extend_schema
from pydantic import ValidationError
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from devices import reports, rotation, tasks
from devices.agent import wire
from devices.client import first_fault
from devices.models import Writer
from devices.states import WriteState
from devices.tokens import fingerprint

MAX_REPORT: Final = 2 * 1024 * 1024  # bytes; below Django's own bound for a request's body
_KINDS: Final = {401: "unauthorized", 404: "not-found", 429: "too-often"}
_KEPT: Final = {"WWW-Authenticate", "Allow", "Retry-After"}
_STATUS: Final = {wire.ProblemType.JOURNAL_LOST: 409, wire.ProblemType.SECOND_AGENT: 409}


class ReportTokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer <report token>` of the writer in the address; `request.auth` is its sha256."""

    def authenticate(self, request: Request) -> tuple[Writer, str]:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise NotAuthenticated("Send the writer's report token: Authorization: Bearer …")
        presented = fingerprint(token.strip())
        uuid = request.parser_context["kwargs"]["writer_uuid"]
        writer = Writer.objects.filter(uuid=uuid, enabled=True).first()
        stored = (writer.report_token_sha256, writer.report_token_old_sha256) if writer else ("", "")
        # Both are compared whatever the first says, and an unknown writer costs the same.
        matches = [constant_time_compare(presented, each) for each in stored]
        if writer is None or not any(matches):
            raise AuthenticationFailed("This is not the report token of this writer.")
        return writer, presented

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="spindle"'  # without it a failure would be 403


class ReportTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its base has no types
    """How the token stands on the OpenAPI page."""

    target_class = ReportTokenAuthentication
    name = "reportToken"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer"}


class IsThatWriter(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        user: object = request.user  # a writer here, whatever the type of users is elsewhere
        return isinstance(user, Writer) and user.uuid == view.kwargs["writer_uuid"]


def problem(
    status: int, type_: str, detail: str, field: str | None = None, headers: dict[str, str] | None = None
) -> Response:
    """An `application/problem+json` answer."""
    body: dict[str, Any] = {"type": type_, "title": type_.replace("-", " ").capitalize(), "detail": detail}
    if field is not None:
        body["field"] = field
    return Response(body, status=status, headers=headers, content_type="application/problem+json")


def problems(*statuses: int) -> dict[tuple[int, str], type[wire.Problem]]:
    """For the OpenAPI page: these, and what every door of a writer may answer."""
    return {(status, "application/problem+json"): wire.Problem for status in (401, 429, *statuses)}


class WriterDoor(APIView):
    """A door for one writer's agent; each fault is a problem."""

    authentication_classes = [ReportTokenAuthentication]
    permission_classes = [IsThatWriter]

    def handle_exception(self, exc: Exception) -> Response:
        response = super().handle_exception(exc)
        kind = _KINDS.get(response.status_code, "invalid")
        kept = {name: value for name, value in response.items() if name in _KEPT}
        return problem(response.status_code, kind, str(response.data["detail"]), headers=kept)


class ReportView(WriterDoor):
    @extend_schema(request=wire.State, responses={200: wire.ReportAnswer} | problems(409, 413, 422, 503))
    def post(self, request: Request, writer_uuid: UUID) -> Response:
        """A state in, the recorded uuids out; 409 for a lost journal or a second agent, 422 naming a field."""
        now = timezone.now()
        writer = cast(Writer, request.user)
        body = _body(request)
        if body is None:
            return problem(413, "invalid", f"A report has at most {MAX_REPORT} bytes.", "body")
        try:
            state = wire.State.model_validate_json(body)
        except ValidationError as error:
            return _malformed(writer, body, error, now)
        try:
            answer = reports.take_report(writer, state, now)
        except reports.ReportRefused as refused:
            status = _STATUS.get(refused.problem, 422 if refused.field else 503)
            return problem(status, refused.problem.value, refused.detail, refused.field)
        answer = rotation.with_next_tokens(writer, str(request.auth), answer)
        if state.images is not None and writer.writes.filter(state=WriteState.QUEUED).exists():
            tasks.nudge()  # an image may just have become whole
        return Response(answer.model_dump(mode="json", exclude_none=True))


def _body(request: Request) -> bytes | None:
    """The body, or None where it is too long."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_REPORT:
        return None
    try:
        return request._request.body
    except RequestDataTooBig:
        return None


def _malformed(writer: Writer, body: bytes, error: ValidationError, now: datetime) -> Response:
    """422 with the field; another protocol's report is told apart from a broken one."""
    protocol = _protocol(body)
    if protocol is not None and protocol != wire.PROTOCOL:
        reports.note_outdated(writer, protocol, now)
        return problem(422, "invalid", f"This server speaks protocol {wire.PROTOCOL}.", "protocol")
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or "body"
    return problem(422, "invalid", first_fault(error), field)


def _protocol(body: bytes) -> int | None:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    protocol = said.get("protocol") if isinstance(said, dict) else None
    return protocol if isinstance(protocol, int) and not isinstance(protocol, bool) else None
