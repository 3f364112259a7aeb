"""The doors for uploads: tus 1.0 for scripts, one plain form for browsers without. Files are streamed, never held.

What is taken, refused and resumed is decided in `archive/uploads/`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import wraps
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import UnreadablePostError
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from archive.errors import ArchiveError
from archive.models import Upload, UploadFile
from archive.uploads import lifecycle, receiving, staging, tus
from archive.uploads.paths import Sent, path_fault
from devices.admin import actor_of
from fulfillment.views.staff import View, staff_page

BLOCK: Final = 1 << 20
MAX_MANIFEST: Final = 4 << 20  # bytes of a list of files

may_send = staff_page("archive.add_upload")


def tus_door(view: View) -> View:
    """For a tus client: the log-in's page would be no answer to it, and what can't be read is 400 with a reason."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if "Tus-Resumable" in request.headers and not request.user.is_staff:
            return _said(
                HTTPStatus.FORBIDDEN, "Log in again, and choose the same files: the sending goes on where it stopped."
            )
        return may_send(_spoken(view))(request, *args, **kwargs)

    return answer


def _spoken(view: View) -> View:
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "OPTIONS":
            return HttpResponse(status=HTTPStatus.NO_CONTENT, headers=tus.OPTIONS)
        method = request.headers.get("X-HTTP-Method-Override") if request.method == "POST" else None
        request.method = method.upper() if method else request.method
        if request.method in {"GET", "PUT"} or ("Tus-Resumable" not in request.headers and request.method == "POST"):
            return _said(HTTPStatus.METHOD_NOT_ALLOWED, "This address speaks tus 1.0.", {"Allow": "OPTIONS"})
        if request.headers.get("Tus-Resumable") != tus.VERSION:
            text = f"This server speaks tus {tus.VERSION}."
            return _said(HTTPStatus.PRECONDITION_FAILED, text, {"Tus-Version": tus.VERSION})
        try:
            return view(request, *args, **kwargs)
        except tus.MalformedError as malformed:
            return _said(HTTPStatus.BAD_REQUEST, str(malformed))

    return answer


@tus_door
@require_http_methods(["POST"])
def create(request: HttpRequest) -> HttpResponse:
    """tus creation: a file of an upload that was begun, or a new upload with this one file."""
    values = tus.metadata(request.headers.get("Upload-Metadata", ""))
    size = tus.number(request.headers, "Upload-Length")
    if size > tus.MAX_SIZE:
        return _said(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "No disc is as large as that.")
    path = values.get("relativePath") or values.get("filename") or values.get("name") or ""
    try:
        file = _file_of(request, values, path, size) if "upload" in values else _alone(request, path, size)
    except ArchiveError as refused:
        return _said(HTTPStatus.BAD_REQUEST, str(refused))
    if file is None:
        return _said(HTTPStatus.NOT_FOUND, "There is no such upload, or no file of this path and size in it.")
    headers = {"Location": reverse("upload-file", args=[file.pk])}
    if request.content_type == tus.CONTENT_TYPE:
        return _append(request, file, 0, HTTPStatus.CREATED, headers)
    return _told(file, HTTPStatus.CREATED, headers)


def _file_of(request: HttpRequest, values: Mapping[str, str], path: str, size: int) -> UploadFile | None:
    try:
        upload = UUID(values["upload"])
    except ValueError:
        return None
    if path_fault(path):  # PostgreSQL refuses even to look for a NUL
        return None
    own = UploadFile.objects.filter(upload=upload, upload__by=actor_of(request))
    return own.filter(path=path, size=size).select_related("upload").first()


def _alone(request: HttpRequest, path: str, size: int) -> UploadFile | None:
    upload = receiving.begin(path.rpartition("/")[2], [Sent(path, size)], by=actor_of(request), now=timezone.now())
    return upload.files.select_related("upload").first()


@tus_door
@require_http_methods(["HEAD", "PATCH", "DELETE"])
def file(request: HttpRequest, file_pk: UUID) -> HttpResponse:
    """One file: how far it is, more of it, or no more of it."""
    found = receiving.file_by_id(file_pk)
    if found is None:
        return _said(HTTPStatus.GONE, "This upload is over.")
    if found.upload.by != actor_of(request):
        return _said(
            HTTPStatus.FORBIDDEN, "This upload is somebody else's. Give it up in the console, or begin your own."
        )
    if request.method == "DELETE":
        # Without one of its files there is nothing to be made of the others.
        receiving.give_up(found.upload, f"{found.path} was taken back.", timezone.now())
        return HttpResponse(status=HTTPStatus.NO_CONTENT, headers=tus.HEADERS)
    if request.method == "HEAD":
        return _told(found, HTTPStatus.OK, {"Upload-Metadata": tus.written({"relativePath": found.path})})
    if request.content_type != tus.CONTENT_TYPE:
        return _said(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"The content type must be {tus.CONTENT_TYPE}.")
    return _append(request, found, tus.number(request.headers, "Upload-Offset"), HTTPStatus.NO_CONTENT, {})


def _append(
    request: HttpRequest, file: UploadFile, offset: int, status: HTTPStatus, headers: dict[str, str]
) -> HttpResponse:
    if not request.META.get("CONTENT_LENGTH"):
        return _said(HTTPStatus.LENGTH_REQUIRED, "Say with Content-Length how many bytes are sent.")
    length = int(request.META["CONTENT_LENGTH"])
    checksum = tus.checksum(request.headers.get("Upload-Checksum", ""))
    try:
        receiving.append(file, offset, length, _blocks(request), checksum, timezone.now())
    except (receiving.OffsetError, receiving.TooLongError, receiving.ChecksumError, receiving.OverError) as refused:
        return _refusal(refused)
    except staging.BusyError:
        return _said(HTTPStatus.LOCKED, "Another request is sending this file.")
    except UnreadablePostError:  # whoever sent it has gone; what came is kept
        return _said(HTTPStatus.BAD_REQUEST, "The connection broke off.")
    except OSError as error:
        return _said(HTTPStatus.INSUFFICIENT_STORAGE, f"It can't be kept: {error.strerror}. Make room on the server.")
    return _told(file, status, headers)


def _refusal(refused: Exception) -> HttpResponse:
    match refused:
        case receiving.OffsetError():
            return _said(HTTPStatus.CONFLICT, str(refused), {"Upload-Offset": str(refused.offset)})
        case receiving.TooLongError():
            return _said(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "These are more bytes than the file was said to have.")
        case receiving.ChecksumError():
            return _said(tus.CHECKSUM_MISMATCH, "Other bytes came than were sent: send them again.")
        case _:
            return _said(HTTPStatus.GONE, "This upload is over.")


def _told(file: UploadFile, status: int, headers: dict[str, str]) -> HttpResponse:
    """How far the file is now."""
    found = receiving.file_by_id(file.pk)
    try:
        offset = receiving.offset_of(found, timezone.now()) if found else receiving.end_of(file)
    except receiving.OverError:
        return _said(HTTPStatus.GONE, "This upload is over.")
    except staging.BusyError:
        return _said(HTTPStatus.LOCKED, "Another request is sending this file.")
    about = {"Upload-Offset": str(offset), "Upload-Length": str(file.size)}
    if found:
        about["Upload-Expires"] = tus.http_date(found.upload.expires_at)
    return HttpResponse(status=status, headers=tus.HEADERS | about | headers)


def _blocks(request: HttpRequest) -> Iterator[bytes]:
    while block := request.read(BLOCK):
        yield block


def _said(status: int, text: str, headers: Mapping[str, str] | None = None) -> HttpResponse:
    all_headers = tus.HEADERS | dict(headers or {})
    return HttpResponse(f"{text}\n", status=status, headers=all_headers, content_type="text/plain; charset=utf-8")


# --- For the console's script, and for its form ----------------------------------------------------


@may_send
@require_POST
def begin(request: HttpRequest) -> HttpResponse:
    """The list of files that are to come, checked before a byte of them is: where each goes, and how far it is."""
    body = request.read(MAX_MANIFEST + 1)
    try:
        if len(body) > MAX_MANIFEST:
            raise ArchiveError("files", "the list of them is too long; pack some of them.")
        name, files = read_manifest(body)
        upload = receiving.begin(name, files, by=actor_of(request), now=timezone.now())
    except ArchiveError as refused:
        answer = {"field": refused.field, "text": f"{refused.field.capitalize()}: {refused.text}"}
        return JsonResponse(answer, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    places = [
        {"path": row.path, "url": reverse("upload-file", args=[row.pk]), "offset": offset}
        for row, offset in receiving.offsets(upload, timezone.now())
    ]
    return JsonResponse({"upload": str(upload.pk), "files": places})


def read_manifest(body: bytes) -> tuple[str, list[Sent]]:
    """{"name": …, "files": [{"path": …, "size": …, "modified": …}, …]}. Raises ArchiveError naming the field."""
    try:
        said = json.loads(body)
        name, files = said["name"], [_sent(each) for each in said["files"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ArchiveError("files", "their list can't be read; send a name and each file's path and size.") from None
    if not isinstance(name, str):
        raise ArchiveError("name", "is no text.")
    return name, files


def _sent(said: Mapping[str, Any]) -> Sent:
    path, size, modified = said["path"], said["size"], said.get("modified")
    if not isinstance(path, str) or type(size) is not int or not (modified is None or type(modified) is int):
        raise TypeError
    return Sent(path, size, modified)


@may_send
@require_POST
def send_form(request: HttpRequest) -> HttpResponse:
    """One file by a plain form: for a browser without scripts, and as large as the proxy in front takes."""
    sent = request.FILES.get("file")
    back = redirect("console")
    if sent is None or sent.name is None or sent.size is None:
        messages.error(request, "Choose a file first.")
        return back
    try:
        _take(sent, Sent(sent.name, sent.size), actor_of(request))
    except ArchiveError as refused:
        messages.error(request, f"{sent.name} was not taken: {refused.text}")
    except OSError as error:
        messages.error(request, f"{sent.name} can't be kept: {error.strerror}. Make room on the server.")
    except (staging.BusyError, receiving.OffsetError):  # the other one of two clicks
        messages.info(request, f"{sent.name} is coming already: it was sent twice.")
    except receiving.OverError:
        messages.error(request, f"{sent.name} was given up meanwhile. Send it again.")
    else:
        messages.success(request, f"{sent.name} is here. It is made into an image now.")
    return back


def _take(sent: UploadedFile[bytes], what: Sent, by: str) -> None:
    """All of it. Raises what `receiving` raises; OverError, too, if it was given up while it came."""
    now = timezone.now()
    upload = receiving.begin(what.path, [what], by=by, now=now)
    only = upload.files.select_related("upload").first()
    if only is None:
        raise receiving.OverError
    offset = receiving.offset_of(only, now)
    if offset < what.size:
        sent.seek(offset)
        receiving.append(only, offset, what.size - offset, iter(lambda: sent.read(BLOCK), b""), None, now)
    if receiving.file_by_id(only.pk) is None:
        receiving.end_of(only)


@may_send
@require_POST
def give_up(request: HttpRequest, upload_pk: UUID) -> HttpResponse:
    upload = get_object_or_404(Upload, pk=upload_pk)
    if receiving.give_up(upload, f"Given up by {actor_of(request)}.", timezone.now()):
        messages.success(request, f"{upload} is given up, and its files are removed.")
    else:
        messages.info(request, f"{upload} is over already.")
    return redirect("console")


@may_send
@require_POST
def again(request: HttpRequest, upload_pk: UUID) -> HttpResponse:
    """A failed upload whose files are still here: somebody mended what was wrong."""
    upload = get_object_or_404(Upload, pk=upload_pk)
    if lifecycle.retry(upload, timezone.now()):
        messages.success(request, f"{upload} is made into an image again.")
    else:
        messages.info(request, f"{upload} can't be made again: send its files again.")
    return redirect("console")
