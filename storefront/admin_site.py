"""Django's admin, with Spindle's name."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.urls import URLPattern, URLResolver


class SpindleAdminConfig(AdminConfig):
    default_site = "storefront.admin_site.SpindleAdminSite"


class SpindleAdminSite(AdminSite):
    site_header = "Spindle"
    site_title = "Spindle"
    index_title = "The plant"

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Without `view_on_site`: it leads any member of staff, with rights or without, to a private page."""
        return [pattern for pattern in super().get_urls() if getattr(pattern, "name", "") != "view_on_site"]
