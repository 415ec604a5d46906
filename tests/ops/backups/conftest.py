"""Backups for the tests of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from advancia.config import Settings
from advancia.ops.backups.create import create_backup
from advancia.ops.backups.models import Backup, Why
from tests.support.backups import product_of
from tests.support.s3 import bucket
from tests.support.scratch import Scratch

__all__ = ["bucket"]


@pytest.fixture
def product(scratch: Scratch) -> Iterator[Flask]:
    """A product with a database of the test's own, in this process and with its context."""
    with product_of(scratch.environ) as app:
        yield app


@pytest.fixture
def backup(app: Flask, app_context: None, settings: Settings) -> Backup:
    """A backup that was just made of this test process's product."""
    return create_backup(settings, app.extensions["keyring"], why=Why.ASKED)
