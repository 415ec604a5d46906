"""Backups for the tests of them."""

from __future__ import annotations

import pytest
from flask import Flask

from advancia.config import Settings
from advancia.ops.backups.create import create_backup
from advancia.ops.backups.models import Backup, Why
from tests.support.s3 import bucket

__all__ = ["bucket"]


@pytest.fixture
def backup(app: Flask, app_context: None, settings: Settings) -> Backup:
    """A backup that was just made of this test process's product."""
    return create_backup(settings, app.extensions["keyring"], why=Why.ASKED)
