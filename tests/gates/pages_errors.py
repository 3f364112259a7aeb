"""What a visitor sees when something is wrong with the request or with the shop. A part of the list in `pages.py`."""

from __future__ import annotations

from typing import Any

from django.db import OperationalError, connection
from django.test import Client

from tests.gates.pages import World, visit


@visit("error-400", status=400)
def bad_request(world: World) -> Any:
    return world.customer().get("/", headers={"Host": "somebody.else.example"})


@visit("error-403-csrf", status=403)
def csrf(world: World) -> Any:
    return Client(enforce_csrf_checks=True).post("/cart/add/", {"product": world.products[0].pk, "copies": 1})


@visit("error-404", status=404)
def not_found(world: World) -> Any:
    return world.customer().get("/nothing-here/")


@visit("error-500", status=500)
def broken(world: World) -> Any:
    """The database is away: not one row can be read."""
    with connection.execute_wrapper(_away):
        return world.customer().get("/")


def _away(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
    raise OperationalError("the database is away")
