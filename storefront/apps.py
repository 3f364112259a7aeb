from django.apps import AppConfig
from django.core.checks import register


class StorefrontConfig(AppConfig):
    name = "storefront"

    def ready(self) -> None:
        from storefront import checks, heartbeat, ticks  # noqa: F401, PLC0415  (settings are ready only now)

        register(checks.no_offline_parts)
