import sys
from pathlib import Path

from django.apps import AppConfig
from django.core.checks import register
from django.core.exceptions import ImproperlyConfigured


class FulfillmentConfig(AppConfig):
    name = "fulfillment"

    def ready(self) -> None:
        from fulfillment import checks  # noqa: PLC0415  (its models are ready only now)

        register(checks.usable_policy)
        # manage.py runs the checks and shows them all; gunicorn and Celery heed none, so they are stopped here.
        if Path(sys.argv[0]).name != "manage.py":
            for fault in checks.usable_policy(None):
                raise ImproperlyConfigured(f"{fault.msg} {fault.hint}")
