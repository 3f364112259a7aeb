"""The doors for agents: enrolment by a code, and reports under the writer's own report token.

Read and answer messages; what a report means is decided in `reports.py`, who may come in, in `enrolment.py`.
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
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from devices import enrolment, reports, rotation, tasks
from devices.agent import wire
from devices.client import first_fault
from devices.intake import NotAccepted
from devices.models import Writer
from devices.tokens import fingerprint

MAX_REPORT: Final = 2 * 1024 * 1024  # bytes; below Django's own bound for a request's body
MAX_ORDER: Final = 16 * 1024  # bytes of an enrolment
_KINDS: Final = {401: "unauthorized", 403: "forbidden", 404: "not-found", 429: "too-often"}
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
    return plain_problems(401, *statuses)


def plain_problems(*statuses: int) -> dict[tuple[int, str], type[wire.Problem]]:
    """For the OpenAPI page: these, and what every door may answer."""
    return {(status, "application/problem+json"): wire.Problem for status in (429, *statuses)}


class ProblemDoor(APIView):
    """A door where each fault is a problem."""

    def handle_exception(self, exc: Exception) -> Response:
        response = super().handle_exception(exc)
        kind = getattr(exc, "default_code", "") if isinstance(exc, CodeNotGood) else ""
        kind = (kind if response.status_code == 403 else "") or _KINDS.get(response.status_code, "invalid")
        kept = {name: value for name, value in response.items() if name in _KEPT}
        return problem(response.status_code, kind, str(response.data["detail"]), headers=kept)


class WriterDoor(ProblemDoor):
    """A door for one writer's agent."""

    authentication_classes = [ReportTokenAuthentication]
    permission_classes = [IsThatWriter]


class CodeNotGood(AuthenticationFailed):
    """403, and counted by address as every call of a stranger is: whoever guesses has few tries."""

    default_code = "code-refused"


class EnrolView(ProblemDoor):
    """The code is the key, so there is no other."""

    authentication_classes = []
    permission_classes = [AllowAny]
    throttle_classes = []  # strangers are counted where they fail

    @extend_schema(request=wire.EnrolOrder, responses={201: wire.EnrolAnswer} | plain_problems(403, 413, 422), auth=[])
    def post(self, request: Request) -> Response:
        """An agent that was given a code becomes a writer; 403 for a code that is not good, 422 naming a field."""
        body = _body(request, MAX_ORDER)
        if body is None:
            return problem(413, "invalid", f"An enrolment has at most {MAX_ORDER} bytes.", "body")
        try:
            enrolled = enrolment.enrol(wire.EnrolOrder.model_validate_json(body), timezone.now())
        except ValidationError as error:
            return problem(422, "invalid", first_fault(error), _field(error))
        except enrolment.CodeRefused as refused:
            raise CodeNotGood(str(refused)) from refused
        except NotAccepted as refused:
            return problem(422, "invalid", refused.text, refused.field)
        answer = wire.EnrolAnswer(
            writer=enrolled.writer.uuid,
            report_token=enrolled.report_token,
            command_token_sha256=enrolled.command_token_sha256,
        )
        return Response(answer.model_dump(mode="json"), status=201)


class ReportView(WriterDoor):
    @extend_schema(request=wire.State, responses={200: wire.ReportAnswer} | problems(409, 413, 422, 503))
    def post(self, request: Request, writer_uuid: UUID) -> Response:
        """A state in, the recorded uuids out; 409 for a lost journal or a second agent, 422 naming a field."""
        now = timezone.now()
        writer = cast(Writer, request.user)
        body = _body(request, MAX_REPORT)
        if body is None:
            return problem(413, "invalid", f"A report has at most {MAX_REPORT} bytes.", "body")
        try:
            state = wire.State.model_validate_json(body)
        except ValidationError as error:
            return _malformed(writer, body, error, now)
        try:
            taken = reports.take(writer, state, now)
        except reports.ReportRefused as refused:
            status = _STATUS.get(refused.problem, 422 if refused.field else 503)
            return problem(status, refused.problem.value, refused.detail, refused.field)
        answer = rotation.with_next_tokens(writer, str(request.auth), taken.answer)
        if taken.wakes:
            tasks.nudge()  # an image is whole, a drive is free, there is room: what waited for it goes out now
        return Response(answer.model_dump(mode="json", exclude_none=True))


def _body(request: Request, most: int) -> bytes | None:
    """The body, or None where it has more than `most` bytes."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > most:
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
    return problem(422, "invalid", first_fault(error), _field(error))


def _field(error: ValidationError) -> str:
    """The path of the first field that is wrong."""
    return ".".join(str(part) for part in error.errors(include_url=False)[0]["loc"]) or "body"


def _protocol(body: bytes) -> int | None:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    protocol = said.get("protocol") if isinstance(said, dict) else None
    return protocol if isinstance(protocol, int) and not isinstance(protocol, bool) else None
