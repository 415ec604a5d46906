"""Backups in a folder, which should be on another disk than the database, or a mounted share."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import BinaryIO

from advancia.ops.backups.errors import NotAllowed, PartMissing, StoreTrouble

UNFINISHED = ".part"
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class FolderStore:
    """Each part is a file that only we may read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = str(folder)

    def sink(self, name: str, *, expected_bytes: int = 0) -> FolderSink:
        del expected_bytes  # a file grows as it is written
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return FolderSink(self.folder / name)
        except OSError as trouble:
            raise in_words(self.folder, trouble) from trouble

    def open(self, name: str) -> BinaryIO:
        path = self.folder / name
        try:
            return path.open("rb")
        except FileNotFoundError:
            raise PartMissing(f"{path} is not there.") from None
        except OSError as trouble:
            raise in_words(self.folder, trouble) from trouble

    def delete(self, name: str) -> None:
        try:
            (self.folder / name).unlink(missing_ok=True)
        except OSError as trouble:
            raise in_words(self.folder, trouble) from trouble

    def sweep(self) -> list[str]:
        try:
            left = sorted(self.folder.glob(f"*{UNFINISHED}"))
            for path in left:
                path.unlink(missing_ok=True)
        except OSError as trouble:
            raise in_words(self.folder, trouble) from trouble
        return [path.name for path in left]


class FolderSink:
    """A file under a name of its own until it is complete and on the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unfinished = path.with_name(path.name + UNFINISHED)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        self._file = os.fdopen(os.open(self._unfinished, flags, 0o600), "wb", buffering=0)

    def write(self, piece: bytes, /) -> int:
        try:
            left = memoryview(piece)
            while left:
                left = left[self._file.write(left) or 0 :]
        except OSError as trouble:
            raise in_words(self._path.parent, trouble) from trouble
        return len(piece)

    def complete(self) -> None:
        try:
            os.fsync(self._file.fileno())
            self._file.close()
            self._unfinished.rename(self._path)
            _sync_folder(self._path.parent)
        except OSError as trouble:
            raise in_words(self._path.parent, trouble) from trouble

    def abort(self) -> None:
        for act in (self._file.close, lambda: self._unfinished.unlink(missing_ok=True)):
            try:
                act()
            except OSError:  # the next backup sweeps what is left
                continue


def in_words(folder: Path, trouble: OSError) -> StoreTrouble:
    """The trouble as the person reads it."""
    if trouble.errno in FULL:
        return StoreTrouble(f"There is no room left for a backup in {folder}. Make room, then try again.")
    if trouble.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return NotAllowed(
            f"We may not write to or read from {folder}: give it to the user that runs the worker."
        )
    return StoreTrouble(f"The folder {folder} does not do what is asked: {trouble.strerror or trouble}.")


def _sync_folder(folder: Path) -> None:
    """A new name is safe once its folder is on the disk too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
