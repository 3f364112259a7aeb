"""`/v1/images`: have a file on the writer's disk, hand out its bytes, drop it."""

from __future__ import annotations

import logging

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from devices.agent.journal import utc_now
from devices.agent.problems import invalid, not_found
from devices.agent.routes.content import stream
from devices.agent.routes.parts import Digest, Parts, problems
from devices.agent.wire import ImageAnswer, ImageOrder, ImageState, Layout

log = logging.getLogger("agent")


def routes(parts: Parts) -> APIRouter:
    router = APIRouter()
    store = parts.shop.store

    @router.put("/{sha256}", status_code=202, responses={200: {"model": ImageAnswer}, **problems(409)})
    def announce(sha256: Digest, order: ImageOrder, response: Response) -> ImageAnswer:
        if order.layout is Layout.AUDIO and Layout.AUDIO not in parts.press.layouts:
            raise invalid("layout", "No drive of this writer writes audio discs: announce iso or face.")
        store.trusted(sha256)
        stored = store.announce(sha256, order, utc_now())
        if stored.state is ImageState.READY:
            response.status_code = 200
        else:
            parts.fetcher.want([sha256])
        return store.answer(stored)

    @router.get("/{sha256}", responses=problems(404))
    def image(sha256: Digest) -> ImageAnswer:
        stored = store.find(sha256)
        if stored is None:
            raise not_found(f"Image {sha256} was not announced here.")
        return store.answer(stored)

    @router.delete("/{sha256}", status_code=204, responses=problems(404, 409))
    def purge(sha256: Digest) -> None:
        if not store.purge(sha256):
            raise not_found(f"Image {sha256} was not announced here.")
        log.info("image %s: purged", sha256)

    @router.get(
        "/{sha256}/content",
        response_class=StreamingResponse,
        responses={
            200: {"content": {"application/octet-stream": {}}},
            206: {"content": {"application/octet-stream": {}}},
            **problems(404, 416),
        },
    )
    def content(sha256: Digest, request: Request) -> Response:
        stored = store.trusted(sha256)
        if stored is None:
            raise not_found(f"Image {sha256} is not ready here.")
        return stream(store.path(sha256), stored.size, sha256, request.headers.get("range"))

    return router
