"""What monitors ask: does the process live, can it serve, and how does the whole plant do. Never cached."""

from __future__ import annotations

from django.conf import settings
from django.db import Error
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from storefront import readiness
from storefront.metrics import PlantCollector


@never_cache
@require_safe
def alive(request: HttpRequest) -> HttpResponse:
    """Touches nothing: whoever gets this answer knows that the process takes requests."""
    return JsonResponse({"alive": True})


@never_cache
@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    seen = readiness.look()
    body = {"ready": seen.ready, "database": seen.database, "redis": seen.redis, "ticks": seen.ticks}
    return JsonResponse(body, status=200 if seen.ready else 503)


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """For the bearer of SPINDLE_METRICS_TOKEN. Without a token set there is no such page: behind a proxy
    everybody comes from its address, so an address proves nothing."""
    expected = settings.SPINDLE_METRICS_TOKEN
    if not expected:
        return HttpResponseNotFound("Set SPINDLE_METRICS_TOKEN.\n", content_type="text/plain")
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not constant_time_compare(token.strip(), expected):
        return HttpResponse(status=401, headers={"WWW-Authenticate": 'Bearer realm="metrics"'})
    registry = CollectorRegistry(auto_describe=False)
    registry.register(PlantCollector())
    try:
        page = generate_latest(registry)
    except Error:  # a monitor that gets no numbers says so; half of them would be lies
        return HttpResponse("The database is away.\n", status=503, content_type="text/plain")
    return HttpResponse(page, content_type=CONTENT_TYPE_PLAIN_0_0_4)
