"""Files of secrets: readable to their owner alone, whole or not there, and nothing of value overwritten."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path


class Exists(Exception):
    """There is a file of that name already."""


def write_private(path: Path, text: str, *, overwrite: bool = False) -> None:
    """Write `text` so that the file appears whole, with mode 0600.

    Raises `Exists` where something of that name is, unless told to overwrite it, and `OSError`.
    """
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(
            os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600),
            "w",
            encoding="utf-8",
            newline="",
        ) as file:
            os.fchmod(file.fileno(), 0o600)  # whatever the umask says
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if overwrite:
            unfinished.replace(path)
        else:
            os.link(unfinished, path)  # which, unlike a rename, never replaces anything
    except FileExistsError:
        raise Exists(str(path)) from None
    finally:
        with suppress(FileNotFoundError):
            unfinished.unlink()


def read_text(path: Path, *, at_most: int) -> str:
    """Raises `OSError`, `UnicodeDecodeError`, and `ValueError` when it is larger than `at_most` bytes."""
    with path.open("rb") as file:
        found = file.read(at_most + 1)
    if len(found) > at_most:
        raise ValueError
    return found.decode("utf-8")
