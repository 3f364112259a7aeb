"""Stripe's error answers as one exception: HTTP status, and the object a client finds under `error`."""

from __future__ import annotations

from typing import Literal

ErrorType = Literal["invalid_request_error", "idempotency_error", "card_error", "api_error"]


class StripeError(Exception):
    """An answer of Stripe's shape.

    `began` says that the request passed its validation and was refused on its merits: only then is the answer
    kept under its idempotency key, as Stripe does.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        status: int = 400,
        error_type: ErrorType = "invalid_request_error",
        began: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param
        self.status = status
        self.error_type = error_type
        self.began = began

    def body(self) -> dict[str, object]:
        error: dict[str, object] = {"message": self.message, "type": self.error_type}
        if self.code:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        if self.param:
            error["param"] = self.param
        return {"error": error}


def missing(kind: str, object_id: str, param: str) -> StripeError:
    return StripeError(f"No such {kind}: '{object_id}'", code="resource_missing", param=param, status=404)
