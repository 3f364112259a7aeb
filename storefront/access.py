"""Who may pass a door of the API. The default is nobody, so that a forgotten door stays shut."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

if TYPE_CHECKING:  # DRF's views load this module while they are being loaded themselves
    from rest_framework.views import APIView


class Nobody(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return False
