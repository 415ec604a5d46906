"""Where backups lie: a folder, or a bucket that speaks S3."""

from __future__ import annotations

from pathlib import Path

from advancia.config import BackupSettings
from advancia.ops.backups.errors import NotSetUp
from advancia.ops.backups.stores.base import Sink, Source, Store
from advancia.ops.backups.stores.folder import FolderStore
from advancia.ops.backups.stores.s3 import BucketStore

__all__ = ["Sink", "Source", "Store", "store_of"]

HOW_TARGET = (
    "There is no place for backups: set BACKUP_TARGET to a folder on another disk than the database's, or to a bucket "
    "like s3://company-backups/advancia."
)


def store_of(settings: BackupSettings, *, target: str | None = None, reading: bool = False) -> Store:
    """The place that the settings name, or `target`, where an older backup lies. Raises `NotSetUp`."""
    address = target or settings.target
    if address is None:
        raise NotSetUp(HOW_TARGET)
    if address.startswith("s3://"):
        return BucketStore(address, settings, reading=reading)
    return FolderStore(Path(address))
