"""Django's admin, with Spindle's name."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig


class SpindleAdminConfig(AdminConfig):
    default_site = "storefront.admin_site.SpindleAdminSite"


class SpindleAdminSite(AdminSite):
    site_header = "Spindle"
    site_title = "Spindle"
    index_title = "The plant"
