"""The door of `/v1`: key, idempotency, errors and headers, the same for every endpoint."""

from __future__ import annotations

import base64
import binascii
import hmac
import logging
import sqlite3
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse

from storefront.standin import program
from storefront.standin.errors import StripeError
from storefront.standin.events import Happening
from storefront.standin.form import Parameters, decode
from storefront.standin.idempotency import Answer, check_key, fingerprint, remember, remembered
from storefront.standin.ledger import new_id
from storefront.standin.wire import API_VERSION, Json

log = logging.getLogger("standin")


@dataclass(frozen=True, slots=True)
class Call:
    """What an endpoint gets: the parameters, the id in the address ("" without one), and the parts it needs."""

    standin: program.StandIn
    asked: Parameters
    id: str
    at: Happening


Endpoint = Callable[[sqlite3.Connection, Call], Json]
View = Callable[..., HttpResponse]


def api(get: Endpoint | None = None, post: Endpoint | None = None) -> View:
    """One address of the API; what has no endpoint is answered as Stripe answers an unknown address."""

    def view(request: HttpRequest, object_id: str = "") -> HttpResponse:
        request_id = new_id("req", 14)
        try:
            _check_secret(request)
            if request.method == "GET" and get:
                answer = _read(request, get, object_id)
            elif request.method == "POST" and post:
                answer = _act(request, post, object_id, request_id)
            else:
                raise unrecognized(request)
        except StripeError as error:
            log.info("%s %s refused: %s", request.method, request.path, error.message)
            answer = Answer(error.status, error.body())
        return _respond(request, answer, request_id)

    return view


def unrecognized(request: HttpRequest) -> StripeError:
    return StripeError(f"Unrecognized request URL ({request.method}: {request.path}).", status=404)


def _respond(request: HttpRequest, answer: Answer, request_id: str) -> HttpResponse:
    response = JsonResponse(answer.body, status=answer.status)
    response["Request-Id"] = request_id
    response["Stripe-Version"] = API_VERSION
    response["Cache-Control"] = "no-cache, no-store"
    if answer.status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="Stripe"'
    if key := request.headers.get("Idempotency-Key"):
        response["Idempotency-Key"] = key
    if answer.replayed:
        response["Idempotent-Replayed"] = "true"
        response["Original-Request"] = request_id
    return response


def _check_secret(request: HttpRequest) -> None:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            given = base64.b64decode(given, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            given = ""
    elif scheme.lower() != "bearer":
        given = ""
    if not given:
        raise StripeError(
            "You did not provide an API key. Send it in the Authorization header, as 'Bearer YOUR_SECRET_KEY'.",
            status=401,
        )
    if not hmac.compare_digest(given.encode(), program.of(request).config.key.encode()):
        raise StripeError(f"Invalid API Key provided: {given[:8]}****{given[-4:]}", status=401)


def _read(request: HttpRequest, endpoint: Endpoint, object_id: str) -> Answer:
    standin = program.of(request)
    asked = Parameters(decode(request.META.get("QUERY_STRING", "")))
    with standin.ledger.reading() as ledger:
        return Answer(200, endpoint(ledger, Call(standin, asked, object_id, standin.happening())))


def _act(request: HttpRequest, endpoint: Endpoint, object_id: str, request_id: str) -> Answer:
    standin = program.of(request)
    body = _body(request)
    key = request.headers.get("Idempotency-Key")
    if key is not None:
        check_key(key)
    call = Call(standin, Parameters(decode(body)), object_id, standin.happening(request_id, key))
    print_ = fingerprint("POST", request.path, body)
    with standin.in_flight.claim(key) if key else nullcontext():
        answer = _answer_once(endpoint, call, key, print_)
        standin.news.set()
        if standin.config.answer_after:
            time.sleep(standin.config.answer_after)
    return answer


def _answer_once(endpoint: Endpoint, call: Call, key: str | None, print_: str) -> Answer:
    with call.standin.ledger.writing() as ledger:
        if key and (kept := remembered(ledger, key, print_, call.at.now)):
            return kept
        try:
            answer = Answer(200, endpoint(ledger, call))
        except StripeError as error:
            if not error.began:
                raise
            answer = Answer(error.status, error.body())
        if key:
            remember(ledger, key, print_, answer, call.at.now)
    return answer


def _body(request: HttpRequest) -> str:
    if request.content_type not in {"application/x-www-form-urlencoded", "", "text/plain"}:
        raise StripeError(
            f"Invalid request: content type {request.content_type!r}; send application/x-www-form-urlencoded."
        )
    try:
        return request.body.decode("ascii")
    except (RequestDataTooBig, UnicodeDecodeError) as error:
        raise StripeError("Invalid request: the body is too big or not form-encoded.") from error
