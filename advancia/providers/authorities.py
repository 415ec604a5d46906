"""Whom our connections trust to name a server: read once, since to read all of them takes longer than most calls."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def known() -> ssl.SSLContext:
    """For every client of this process; it is as `httpx` would make one for each."""
    return httpx.create_ssl_context()
