"""Who asked: the request's id and author, carried from the page into jobs, logs and postings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import uuid4

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

_FROM_OUTSIDE = re.compile(r"[A-Za-z0-9_-]{8,64}")


@dataclass(frozen=True)
class Actor:
    """The author of a change."""

    user_id: int
    role: str
    address: str | None
    request_id: str | None


def new_request_id() -> str:
    return uuid4().hex


def accept_request_id(offered: str | None) -> str:
    """The id that a proxy sent, if it has the form of one; otherwise a new one."""
    if offered and _FROM_OUTSIDE.fullmatch(offered):
        return offered
    return new_request_id()


@contextmanager
def bound_request_id(value: str | None) -> Iterator[None]:
    """Carry `value` as the request id for the duration."""
    token = request_id.set(value or new_request_id())
    try:
        yield
    finally:
        request_id.reset(token)
