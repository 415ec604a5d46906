"""The servers that the product uses."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from advancia.config.given import Given


def database(given: Given, name: str, *, needed: bool = True) -> str | None:
    url = given.get(name)
    if url is None:
        if needed:
            given.wrong(
                f"{name} is missing: start ./run, which brings a database of its own, or set it to an address "
                "like postgresql://advancia_app:password@db.example.com/advancia."
            )
        return None
    if not re.match(r"^postgres(ql)?(\+psycopg)?://", url):
        given.wrong(
            f"{name} does not begin with postgresql://. PostgreSQL 15 or later is the one database we use."
        )
    return url.replace("+psycopg://", "://", 1)  # SQLAlchemy's spelling, which libpq does not understand


def redis(given: Given) -> str:
    url = given.get("REDIS_URL")
    if url is None:
        given.wrong(
            "REDIS_URL is missing: start ./run, which brings a Valkey of its own, or set it to an address "
            "like redis://cache.example.com:6379/0."
        )
        return ""
    if not re.match(r"^(rediss?|unix)://", url):
        given.wrong(f"REDIS_URL is {url!r}: it must begin with redis://, rediss:// or unix://.")
    return url


def smtp(given: Given) -> str | None:
    url = given.get("SMTP_URL")
    if url is None:
        if not given.is_dev:
            given.wrong(
                "SMTP_URL is missing: set it to an address like smtp://user:password@mail.example.com:587."
            )
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        given.wrong("SMTP_URL must look like smtp://user:password@mail.example.com:587 (or smtps://…:465).")
    return url
