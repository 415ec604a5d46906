"""A product of a test's own, whose backups may break."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from flask import Flask

from advancia.app import create_app
from advancia.config import Settings, load_settings
from advancia.core import alarms
from advancia.core.db import db
from advancia.ops.backups.create import create_backup
from advancia.ops.backups.models import Backup, Why


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
