"""Celery wakes up short, repeatable ticks; the database is the queue. Nothing is ever kept in a message."""

from __future__ import annotations

import gc
import logging
import os
from typing import Any, Final

from celery import Celery
from celery.app.amqp import AMQP
from celery.signals import celeryd_after_setup, setup_logging, worker_process_init
from kombu import Connection
from kombu.exceptions import OperationalError
from kombu.transport.redis import Channel

logger = logging.getLogger(__name__)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "storefront.settings")

OBJECTS: Final = 50_000  # new ones between two looks for garbage: some MB
LONGEST_PAUSE: Final = 3.0  # seconds between two tries to reach Redis


# Not acknowledged when Redis dies, a message would be put back, which then raises what Celery does not expect and ends
# the worker. There is nothing to put back: the next beat says the same.
Channel.do_restore = False


class PatientConnection(Connection):
    """Tries for ever, and soon again: Celery's own pauses grow to 30 s, and no setting bounds them."""

    def _ensure_connection(self, *args: Any, **kwargs: Any) -> Any:
        return super()._ensure_connection(*args, **{"interval_max": LONGEST_PAUSE, **kwargs})


class PatientAMQP(AMQP):
    Connection = PatientConnection


app = Celery("spindle", amqp=PatientAMQP)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@celeryd_after_setup.connect
def forget_old_messages(**about: Any) -> None:
    """What piled up while no worker was there says nothing that the next beat does not say.

    After an hour it would be thousands of wake-ups, in front of the one that counts.
    """
    try:
        with app.connection_for_write() as connection:
            app.control.purge(connection)
    except (OperationalError, OSError) as error:
        logger.info("Redis is away, nothing to forget: %s", error)


@worker_process_init.connect
def look_for_garbage_less_often(**about: Any) -> None:
    """A turn makes thousands of small values that die with it, and none of them in a circle.

    At Python's own pace a tenth of a turn goes into looking through all that was imported.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS)


@setup_logging.connect
def log_like_all_others(**kwargs: Any) -> None:
    """Worker and beat keep the shop's own logging: with a receiver, Celery sets up none."""
    from django.conf import settings  # noqa: PLC0415  (this module is loaded before the settings are)

    from storefront.logs import configure_server  # noqa: PLC0415  (only once the process is set up)

    configure_server(settings.LOGGING)
