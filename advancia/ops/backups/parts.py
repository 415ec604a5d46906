"""The dump's way into a store and out of it, as a stream: encrypted, counted and hashed while it passes by.

Never is more than a piece of it in memory, and never does it touch a disk in plain.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

import pyrage

from advancia.ops.backups.errors import DumpDamaged, DumpTruncated, WrongKey
from advancia.ops.backups.keys import Identity, Recipient
from advancia.ops.backups.manifest import Manifest
from advancia.ops.backups.stores import Sink, Source, Store

PIECE = 1024 * 1024
NOT_FOR_US = "No matching keys"

Progress = Callable[[int], None]  # is told how many bytes are stored


class Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


@dataclass(frozen=True)
class Poured:
    """What went into a store: the bytes of the plain dump, and those that are stored, with their SHA-256."""

    plain_bytes: int
    stored_bytes: int
    sha256: str


def pour(source: Readable, sink: Sink, *, recipients: Sequence[Recipient], progress: Progress) -> Poured:
    """Encrypt all that comes from the source into the sink, which the caller completes or aborts.

    Raises what the source, the sink or `progress` raises.
    """
    reader, writer = _Read(source), _Stored(sink, progress)
    try:
        pyrage.encrypt_io(reader, writer, list(recipients))
    except pyrage.EncryptError as wrapped:
        raise reader.trouble or writer.trouble or wrapped from wrapped
    return Poured(reader.bytes, writer.bytes, writer.hash.hexdigest())


@contextmanager
def open_dump(store: Store, manifest: Manifest, *, identities: Sequence[Identity]) -> Iterator[BinaryIO]:
    """Give the plain dump as a stream with a file number, which another program can read.

    Read it to its end: only then is the checksum compared, and on leaving this raises what was wrong with the part,
    before any trouble that it made for the reader: `PartMissing`, `DumpTruncated`, `DumpDamaged`, `WrongKey`,
    `StoreTrouble`.
    """
    source = _Hashed(store.open(manifest.dump))
    reading, writing = os.pipe()
    flow = _Flow(source, os.fdopen(writing, "wb", buffering=PIECE), manifest, identities)
    flow.start()
    try:
        with os.fdopen(reading, "rb", buffering=PIECE) as plain:
            yield plain
    finally:
        flow.join()
        source.close()
        if flow.trouble is not None:
            raise flow.trouble


def check_sum(store: Store, manifest: Manifest) -> None:
    """Read all that is stored and compare it with the manifest. Raises as `open_dump`, but `WrongKey`."""
    source = _Hashed(store.open(manifest.dump))
    try:
        source.drain()
        _compare(source, manifest)
    finally:
        source.close()


class _Flow(threading.Thread):
    """Decrypts into a pipe until it is read to the end, or closed."""

    def __init__(
        self, source: _Hashed, pipe: BinaryIO, manifest: Manifest, identities: Sequence[Identity]
    ) -> None:
        super().__init__(daemon=True)
        self.trouble: BaseException | None = None
        self._source, self._pipe = source, _Written(pipe)
        self._manifest, self._identities = manifest, list(identities)

    def run(self) -> None:
        try:
            self._decrypt()
        except BaseException as trouble:  # noqa: BLE001 - raised again in the thread that reads
            self.trouble = trouble
        finally:
            self._pipe.close()

    def _decrypt(self) -> None:
        wrapped: Exception | None = None
        try:
            pyrage.decrypt_io(self._source, self._pipe, self._identities)
        except (pyrage.DecryptError, OSError) as refused:
            wrapped = refused
        if self._pipe.is_broken:  # the reader went before the end, and has its own reasons
            return
        if self._source.trouble is not None:
            raise self._source.trouble
        # What was changed on the way may look like anything else; so the checksum speaks first.
        self._source.drain()
        _compare(self._source, self._manifest)
        if wrapped is not None and NOT_FOR_US in str(wrapped):
            raise WrongKey("None of the identities opens this backup: it was made for other keys.")
        if wrapped is not None:
            raise DumpDamaged(f"The dump cannot be decrypted: {wrapped}.")


def _compare(source: _Hashed, manifest: Manifest) -> None:
    if source.bytes < manifest.stored_bytes:
        raise DumpTruncated(
            f"The dump was cut short: {source.bytes:,} of {manifest.stored_bytes:,} bytes are there."
        )
    if source.bytes != manifest.stored_bytes or source.hash.hexdigest() != manifest.sha256:
        raise DumpDamaged("The dump was changed: its checksum is not the one in the manifest.")


class _Read:
    """A source that counts, and remembers what stopped it, which the encrypter only tells as text."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self.bytes = 0
        self.trouble: BaseException | None = None

    def read(self, size: int = -1, /) -> bytes:
        try:
            piece = self._source.read(size)
        except BaseException as trouble:
            self.trouble = trouble
            raise
        self.bytes += len(piece)
        self._passed(piece)
        return piece

    def _passed(self, piece: bytes) -> None:
        """For those who want to see it."""


class _Hashed(_Read):
    """A part that is hashed as it is read."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._part = source
        self.hash: Any = hashlib.sha256()

    def _passed(self, piece: bytes) -> None:
        self.hash.update(piece)

    def drain(self) -> None:
        while self.read(PIECE):
            pass

    def close(self) -> None:
        self._part.close()


class _Stored:
    """A sink that is hashed and counted as it is written."""

    def __init__(self, sink: Sink, progress: Progress) -> None:
        self._sink = sink
        self._progress = progress
        self.hash: Any = hashlib.sha256()
        self.bytes = 0
        self.trouble: BaseException | None = None

    def write(self, piece: bytes, /) -> int:
        try:
            self.hash.update(piece)
            self.bytes += self._sink.write(piece)
            self._progress(self.bytes)
        except BaseException as trouble:
            self.trouble = trouble
            raise
        return len(piece)

    def flush(self) -> None:
        """The sink decides for itself when to write."""


class _Written:
    """The end of a pipe that is written to; remembers that nobody reads any more."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe
        self.is_broken = False

    def write(self, piece: bytes, /) -> int:
        try:
            return self._pipe.write(piece)
        except (BrokenPipeError, ValueError):
            self.is_broken = True
            raise

    def flush(self) -> None:
        try:
            self._pipe.flush()
        except (BrokenPipeError, ValueError):
            self.is_broken = True
            raise

    def close(self) -> None:
        with suppress(BrokenPipeError):
            self._pipe.close()
