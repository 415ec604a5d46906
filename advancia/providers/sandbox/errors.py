"""Refusals of the API, in Stripe's shape, and of the hosted page."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An answer other than 2xx, with what Stripe's clients read from it."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self._fields = {"message": message, "type": kind, "code": code, "param": param}

    def body(self) -> dict[str, Any]:
        """The answer's body."""
        return {"error": {name: value for name, value in self._fields.items() if value is not None}}


class NotOpen(Exception):
    """The checkout's page is closed: nothing can be paid on it any more."""
