"""`/v1/writes`: write an image to discs, tell how far it is, cancel."""

from __future__ import annotations

import logging
from uuid import UUID

from fastapi import APIRouter, Response

from devices.agent.journal import utc_now
from devices.agent.ledger import Ledger
from devices.agent.orders import check_write
from devices.agent.problems import not_found
from devices.agent.routes.parts import KnownJournal, Parts, check_journal, problems
from devices.agent.trace import remember_order
from devices.agent.wire import WriteAnswer, WriteOrder

log = logging.getLogger("agent")


def routes(parts: Parts) -> APIRouter:
    router = APIRouter()
    shop, ledger = parts.shop, parts.shop.ledger

    @router.put("/{uuid}", status_code=201, responses={200: {"model": WriteAnswer}, **problems(409)})
    def accept(uuid: UUID, order: WriteOrder, response: Response, journal: KnownJournal = None) -> WriteAnswer:
        check_journal(shop.journal, journal)
        if not ledger.knows(uuid, order):
            check_write(order, parts.config.drives, shop.store, parts.press)
        if ledger.accept(uuid, order, utc_now()):
            remember_order(shop.journal, uuid)
            log.info("write %s: accepted, %d discs of %s", uuid, len(order.discs), order.image)
        else:
            response.status_code = 200
        return _known(ledger, uuid)

    @router.get("/{uuid}", responses=problems(404))
    def write(uuid: UUID) -> WriteAnswer:
        return _known(ledger, uuid)

    @router.delete("/{uuid}", status_code=202)
    def cancel(uuid: UUID) -> WriteAnswer:
        ledger.cancel(uuid, utc_now())
        log.info("write %s: cancelled; a started disc is finished", uuid)
        return _known(ledger, uuid)

    return router


def _known(ledger: Ledger, uuid: UUID) -> WriteAnswer:
    found = ledger.find(uuid)
    if found is None:
        raise not_found(f"Write {uuid} is not known here.")
    return found
