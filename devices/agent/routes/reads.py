"""`/v1/reads`: copy the disc in a source drive to the writer's disk, tell how far it is, cancel."""

from __future__ import annotations

import logging
from uuid import UUID

from fastapi import APIRouter, Response

from devices.agent.journal import utc_now
from devices.agent.orders import check_read
from devices.agent.problems import not_found
from devices.agent.reads import Reads
from devices.agent.routes.parts import KnownJournal, Parts, check_journal, problems
from devices.agent.wire import ReadAnswer, ReadOrder

log = logging.getLogger("agent")


def routes(parts: Parts) -> APIRouter:
    router = APIRouter()
    shop, reads = parts.shop, parts.shop.reads

    @router.put("/{uuid}", status_code=201, responses={200: {"model": ReadAnswer}, **problems(409)})
    def accept(uuid: UUID, order: ReadOrder, response: Response, journal: KnownJournal = None) -> ReadAnswer:
        check_journal(shop.journal, journal)
        if not reads.knows(uuid, order):
            check_read(order, parts.config.drives, parts.press)
            shop.store.check_any_room()
        if reads.accept(uuid, order, utc_now()):
            log.info("read %s: accepted, of drive %s", uuid, order.drive)
        else:
            response.status_code = 200
        return _known(reads, uuid)

    @router.get("/{uuid}", responses=problems(404))
    def read(uuid: UUID) -> ReadAnswer:
        return _known(reads, uuid)

    @router.delete("/{uuid}", status_code=202)
    def cancel(uuid: UUID) -> ReadAnswer:
        reads.cancel(uuid, utc_now())
        parts.press.cancel_read(uuid)
        log.info("read %s: cancelled, if it isn't over", uuid)
        return _known(reads, uuid)

    return router


def _known(reads: Reads, uuid: UUID) -> ReadAnswer:
    found = reads.find(uuid)
    if found is None:
        raise not_found(f"Read {uuid} is not known here.")
    return found
