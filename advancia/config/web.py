"""How the web process is reached, and what it says of itself."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from advancia.config.given import Given

HOST_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")


def public_url(given: Given, port: int) -> str:
    url = given.get("PUBLIC_URL")
    if url is None:
        if not given.is_dev:
            given.wrong(
                "PUBLIC_URL is missing: set it to the address customers use, like https://pay.example.com."
            )
        return f"http://localhost:{port}"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
        given.wrong(f"PUBLIC_URL is {url!r}: set it to a scheme and a host, like https://pay.example.com.")
    elif not given.is_dev and parts.scheme != "https":
        given.wrong("PUBLIC_URL must begin with https:// outside development.")
    return url.rstrip("/")


def trusted_hosts(given: Given) -> tuple[str, ...]:
    hosts = tuple((given.get("TRUSTED_HOSTS") or "").lower().replace(",", " ").split())
    for host in hosts:
        if not HOST_NAME.fullmatch(host):
            given.wrong(
                f"TRUSTED_HOSTS names {host!r}: list names alone, without scheme or port, like "
                "pay.example.com, www.example.com."
            )
    return hosts


def security_contact(given: Given) -> str:
    contact = given.get("SECURITY_CONTACT")
    if contact is None:
        host = urlsplit(given.get("PUBLIC_URL") or "").hostname or "localhost"
        return f"mailto:security@{host}"
    if not re.fullmatch(r"(mailto:[^\s@]+@|https://|tel:\+)\S+", contact):
        given.wrong(
            f"SECURITY_CONTACT is {contact!r}: set it to an address like mailto:security@example.com, or to the "
            "page that tells how to report a hole."
        )
    return contact


def log_level(given: Given) -> str:
    level = (given.get("LOG_LEVEL") or "INFO").upper()
    if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        given.wrong(f"LOG_LEVEL is {level!r}: set it to DEBUG, INFO, WARNING or ERROR.")
    return level
