"""gunicorn reads this file by itself: its own lines go the way of all others, in the master too.

The shop is loaded once, before the workers are forked: they share the memory it takes, some 60 MB each.
"""

import gc
import os

from django.conf import settings
from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.glogging import Logger

from storefront.logs import configure_server

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "storefront.settings")


class OneLineLogger(Logger):
    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        configure_server(settings.LOGGING)
        for log in (self.error_log, self.access_log):
            log.handlers.clear()
            log.propagate = True


def when_ready(server: Arbiter) -> None:
    """Before the first worker: what is there now is nobody's garbage, and looking at it would copy its pages."""
    gc.collect()
    gc.freeze()


logger_class = OneLineLogger
preload_app = True
