"""A product of its own with a backup, to be proven, damaged and restored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyrage
from flask import Flask

from advancia.app import create_app
from advancia.config import Settings, load_settings
from advancia.core.db import db
from advancia.ops.backups import manifest as manifests
from advancia.ops.backups import proof
from advancia.ops.backups.create import create_backup
from advancia.ops.backups.manifest import Manifest
from advancia.ops.backups.models import Backup, Why
from advancia.ops.backups.proof import Proof
from tests.conftest import BACKUP_IDENTITY
from tests.support.scratch import Scratch

OWNER = pyrage.x25519.Identity.from_str(BACKUP_IDENTITY)


@dataclass
class Saved:
    """A product on a database of its own, and its newest backup."""

    app: Flask
    settings: Settings
    name: str
    scratch: Scratch

    @property
    def keyring(self) -> Any:
        return self.app.extensions["keyring"]

    @property
    def dump(self) -> Path:
        return Path(self.settings.backups.target or "") / manifests.dump_name(self.name)

    @property
    def manifest_file(self) -> Path:
        return Path(self.settings.backups.target or "") / manifests.manifest_name(self.name)

    @property
    def manifest(self) -> Manifest:
        return manifests.read(self.manifest_file.read_bytes())

    def prove(self, *, on_server: Scratch | None = None, **more: Any) -> Proof:
        """Prove it in a cluster of its own; `on_server`, in a database beside that one, which is quicker."""
        settings = self.settings
        if on_server is not None:
            url = on_server.servers.postgres.url("postgres", "postgres")
            settings = replace(settings, backups=replace(settings.backups, scratch_url=url))
        with self.app.app_context():
            return proof.prove(settings, **{"keyring": self.keyring, "name": self.name, **more})


@contextmanager
def saved(scratch: Scratch, *, backup: bool = True, **environ: str) -> Iterator[Saved]:
    """The product on that database, with a backup of it as it is now."""
    settings = load_settings({**scratch.environ, **environ})
    product = Saved(create_app(settings), settings, "", scratch)
    if backup:
        product.name = save(product)
    yield product
    with product.app.app_context():
        db.session.remove()
        db.engine.dispose()


def save(product: Saved) -> str:
    """Make a backup now, and give its name."""
    with product.app.app_context():
        made: Backup = create_backup(product.settings, product.keyring, why=Why.ASKED)
        return made.name
