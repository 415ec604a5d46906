"""The pages of operations in a real browser: a double click does a thing once, progress is seen, Back does no harm."""

from __future__ import annotations

from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import func, select

from advancia.core.db import db, unit_of_work
from advancia.core.locks import Lock
from advancia.core.outbox import OutboxRow
from advancia.ops.backups.models import Backup
from advancia.ops.launch import services
from advancia.ops.launch.models import LaunchRun
from tests.support.servers import eventually

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("product"),
    pytest.mark.parametrize(("javascript", "width"), [(True, 1280), (False, 360)]),
]

BUTTON = "main form[method=post] button.primary"


@pytest.fixture
def page(staff_tab, javascript, width):
    return staff_tab(javascript=javascript, width=width)


@contextmanager
def held(product, lock):
    """Keep the worker from what it does alone, so that what was asked for waits."""
    with psycopg.connect(product.environ["DATABASE_URL"], autocommit=True) as guard:
        guard.execute("select pg_advisory_lock(%s)", (lock,))
        yield


def count(app, column, *those):
    with app.app_context():
        return db.session.scalar(select(func.count(column)).where(*those))


def go_back_and_reload(page, width):
    """As people do who wait; then be here again."""
    here = page.url
    page.go_back()
    page.reload()
    page.goto(here)
    page.reload()
    assert page.url == here
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_backup_is_made_once_and_its_progress_is_seen(app, product, page, javascript, width):
    before = count(app, Backup.id)
    page.goto(f"{product.url}/admin/backups/new")
    page.fill("#reason", "Before the new version")
    with held(product, Lock.BACKUP):
        page.dblclick(BUTTON)
        page.wait_for_selector("#backup-progress progress")
        assert "Waiting for the worker." in page.inner_text("#backup-progress")
        go_back_and_reload(page, width)
        assert count(app, Backup.id) == before + 1

    if javascript:
        page.wait_for_selector("text=What it holds")
    else:
        eventually(lambda: page.reload() and page.get_by_text("What it holds").count(), "the backup is made")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert count(app, Backup.id) == before + 1


def test_a_launch_check_is_begun_once_and_its_end_is_seen(app, product, page, javascript, width):
    last = count(app, LaunchRun.id)
    page.goto(f"{product.url}/admin/launch/")
    with held(product, Lock.LAUNCH_CHECK):
        page.dblclick(BUTTON)
        page.wait_for_selector("#launch-progress progress")
        go_back_and_reload(page, width)
        assert count(app, LaunchRun.id) == last + 1
        with app.app_context(), unit_of_work() as session:
            services.fail(session, int(page.url.rpartition("/")[2]), "The test has ended it.")

    if not javascript:
        page.click("text=Look again")
    page.wait_for_selector("text=The test has ended it.")


def test_recurring_work_is_put_once_and_what_came_of_it_is_seen(app, product, page, width):
    asked = (OutboxRow.kind == "prune_backups", OutboxRow.unique_key.contains("@asked:"))
    before = count(app, OutboxRow.id, *asked)
    page.goto(f"{product.url}/admin/clock/prune_backups")
    page.fill("#reason", "To see whether it works")
    page.dblclick(BUTTON)
    page.wait_for_selector("text=Put to work.")
    eventually(lambda: page.reload() and page.get_by_text("pruned, ").count(), "what came of it is seen")

    go_back_and_reload(page, width)
    assert count(app, OutboxRow.id, *asked) == before + 1
