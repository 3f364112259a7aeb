"""gunicorn reads this file by itself: its own lines go the way of all others, in the master too."""

import os

from django.conf import settings
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


logger_class = OneLineLogger
