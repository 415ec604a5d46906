"""A product of a test's own, with backups to be proven, damaged, broken and restored."""

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
from advancia.core import alarms
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


@contextmanager
def product_of(environ: dict[str, str]) -> Iterator[Flask]:
    """The product of that environment, in this process, with its context."""
    app = create_app(load_settings(environ))
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


def back_up(app: Flask, **changed: object) -> Backup:
    """Make a backup, with some of the settings of backups changed."""
    settings: Settings = app.extensions["settings"]
    settings = replace(settings, backups=replace(settings.backups, **changed))  # type: ignore[arg-type]
    return create_backup(settings, app.extensions["keyring"], why=Why.ASKED)


def open_alarms() -> set[str]:
    """What sounds now."""
    db.session.rollback()
    return {each.what for each in alarms.open_alarms(db.session())}


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
