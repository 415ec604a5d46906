"""What a place for backups has to do."""

from __future__ import annotations

from typing import Protocol


class Source(Protocol):
    """A part that is read from its beginning to its end, once."""

    def read(self, size: int = -1, /) -> bytes: ...

    def close(self) -> None: ...


class Sink(Protocol):
    """A part that is being written. It is there once it is complete, and until then nobody sees it.

    Each of these raises `StoreTrouble`, but `abort`, which does what it can.
    """

    def write(self, piece: bytes, /) -> int: ...

    def complete(self) -> None: ...

    def abort(self) -> None: ...


class Store(Protocol):
    """A place for parts by their names. Whatever it raises is a `StoreTrouble`."""

    address: str

    def sink(self, name: str, *, expected_bytes: int = 0) -> Sink:
        """Begin a part of about so many bytes."""

    def open(self, name: str) -> Source:
        """Raises `PartMissing`."""

    def delete(self, name: str) -> None:
        """Take a part away, if it is there. Raises `NotAllowed` where the credential may only write."""

    def sweep(self) -> list[str]:
        """Take away what was begun and never completed; nobody may be writing. Gives the names."""
