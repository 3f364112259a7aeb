"""Who may pass a door of the API. The default is nobody, so that a forgotten door stays shut."""

from __future__ import annotations

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView


class Nobody(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return False
