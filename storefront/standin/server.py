"""Runs the stand-in: one process, a thread per request, one thread for deliveries; loopback only."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any, Final

import django
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler

from storefront.standin.config import Config
from storefront.standin.ledger import Ledger
from storefront.standin.program import ENVIRON_KEY, StandIn
from storefront.standin.webhooks import Courier

HOST: Final = "127.0.0.1"


class Server(ThreadedWSGIServer):
    request_queue_size = 128  # twenty tabs at once are a test case


def application(standin: StandIn) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    """The WSGI application; every request carries the running stand-in."""
    handler = WSGIHandler()

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ[ENVIRON_KEY] = standin
        return handler(environ, start_response)

    return answer


def serve(config: Config) -> int:
    """Runs until SIGTERM or SIGINT; 0, or 1 when the port or the ledger can't be had."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "storefront.standin.settings"
    django.setup(set_prefix=False)
    try:
        ledger = Ledger(config.ledger)
        ledger.create()
        server = Server((HOST, config.port), WSGIRequestHandler)
    except sqlite3.Error as error:
        return _refuse(f"The ledger {config.ledger} can't be used: {error}. Give another file with --ledger.")
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return _refuse(f"Port {config.port} is taken. Stop what listens there, or choose another with --port.")
        return _refuse(f"The stand-in can't start: {error}.")
    pages = f"http://{HOST}:{server.server_port}"
    courier = Courier(ledger, config.webhook_url, config.secret) if config.webhook_url else None
    standin = StandIn(config, ledger, pages, courier)
    server.set_app(application(standin))
    _run(server, standin)
    return 0


def _refuse(text: str) -> int:
    print(text, file=sys.stderr)  # noqa: T201  (a command line's own answer)
    return 1


def _run(server: Server, standin: StandIn) -> None:
    def stop(_signal: int, _frame: object) -> None:
        standin.stopping.set()
        standin.news.set()
        # From a thread of its own: shutdown() waits for the loop that this handler interrupts.
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    background = threading.Thread(target=standin.work_between_requests, name="deliveries")
    background.start()
    target = standin.config.webhook_url or "nowhere"
    print(f"Stripe stand-in on {standin.pages} (webhooks to {target})", flush=True)  # noqa: T201  (says it is ready)
    with server:
        server.serve_forever(poll_interval=0.1)
    standin.stopping.set()
    standin.news.set()
    background.join()
