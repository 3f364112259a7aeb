"""`/v1/state`: everything, to whoever may command this agent."""

from __future__ import annotations

from fastapi import APIRouter

from devices.agent.routes.parts import Parts
from devices.agent.wire import State


def routes(parts: Parts) -> APIRouter:
    router = APIRouter()

    @router.get("/state")
    def state() -> State:
        return parts.mirror.state()

    return router
