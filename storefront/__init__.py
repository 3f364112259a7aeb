"""The top floor: orders, payments, the shop's pages, mail, and the settings of the whole house."""

from storefront.celery import app as celery_app  # so that shared tasks find their broker in every process

__all__ = ["celery_app"]
