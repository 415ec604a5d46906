"""Logs: one JSON object a line, with the request id, and without secrets or personal data."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from advancia.core import context

HIDDEN = "[hidden]"
_SECRET_NAME = re.compile(
    r"password|secret|token|authorization|cookie|signature|api_?key|\bcode\b|otp", re.IGNORECASE
)
# Looked for from the beginning of a word only: else a long word without an @ takes a time that grows with its square.
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])([A-Za-z0-9._%+-])[A-Za-z0-9._%+-]*(@[A-Za-z0-9.-]+\.[A-Za-z]{2,})"
)
_KEY_LIKE = re.compile(r"\b(?:sk|rk|whsec|pk)_[A-Za-z0-9_]{8,}|\$argon2(?:[\w$=+/]|,(?=\w))+")


def configure(level: str = "INFO") -> None:
    """Send everything, ours and the libraries', to standard error as JSON lines."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_request_id,
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    line = logging.StreamHandler(sys.stderr)
    line.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [line]
    root.setLevel(level)
    for chatty in ("httpx", "stripe", "alembic.runtime.plugins"):
        logging.getLogger(chatty).setLevel("WARNING")


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger whose calls take an event and its facts: `log.info("deposit_paid", deposit=…)`."""
    bound: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return bound


def _add_request_id(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if (current := context.request_id.get()) is not None:
        event.setdefault("request_id", current)
    return event


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide values whose name says that they are secret, and mask addresses and keys within texts."""
    for name, value in event.items():
        event[name] = _redacted(name, value)
    return event


def _redacted(name: str, value: Any) -> Any:
    if _SECRET_NAME.search(name):
        return HIDDEN
    if isinstance(value, dict):
        return {key: _redacted(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(name, inner) for inner in value]
    if isinstance(value, str):
        return _KEY_LIKE.sub(HIDDEN, _EMAIL.sub(r"\1…\2", value))
    return value
