"""What stands for all that a page shows, so that a page which asks again is answered only when it would change."""

from __future__ import annotations

import hashlib

LENGTH = 16


def version_of(*shown: object) -> str:
    """A short text that differs whenever one of these does. They have to be told apart by their `repr`."""
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:LENGTH]
