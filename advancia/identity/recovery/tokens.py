"""The secret part of a link by mail: whoever holds it holds the mailbox."""

from __future__ import annotations

import hashlib
import secrets

TOKEN_BYTES = 32


def new_token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_hash(token: str) -> bytes:
    """What is kept of a token. It is random and long, so that a plain hash is as good as a slow one."""
    return hashlib.sha256(token.encode()).digest()
