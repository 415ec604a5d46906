"""What was counted before the counters had one table is counted on after the upgrade."""

from __future__ import annotations

import psycopg
from flask_migrate import upgrade

from advancia.app import create_app
from advancia.config import load_settings
from advancia.core.db import db, unit_of_work
from advancia.core.errors import LimitReached
from advancia.identity.services import limits, sign_in, sign_up

BEFORE = """
INSERT INTO sign_in_attempt (email, address, succeeded, tried_at)
  SELECT 'amara@test.example', '203.0.113.9', false, now() - interval '1 minute' FROM generate_series(1, 5);
INSERT INTO sign_in_attempt (email, address, succeeded) VALUES ('bilal@test.example', NULL, true);
INSERT INTO code_send (email, sent_at)
  SELECT 'chidi@test.example', now() - interval '1 minute' FROM generate_series(1, 5);
"""


def test_failures_and_codes_of_before_still_count(servers, worker_id):
    name = f"upgraded_{worker_id}"
    servers.postgres.create_database(name, owner="advancia_owner")
    environ = servers.environ(name, var=servers.folder / name)
    app = create_app(load_settings(environ))
    try:
        with app.app_context():
            upgrade(revision="0009_recovery")
            with psycopg.connect(environ["DATABASE_OWNER_URL"]) as owner:
                owner.execute(BEFORE)
            upgrade()
            is_refused = [
                refuses(sign_in.BY_ACCOUNT, "amara@test.example"),
                refuses(sign_in.BY_ADDRESS, "203.0.113.9"),
                refuses(sign_in.BY_ACCOUNT, "bilal@test.example"),
                refuses(sign_up.SENDS, "chidi@test.example"),
            ]
            db.session.remove()
            db.engine.dispose()
    finally:
        servers.postgres.drop_database(name)

    assert is_refused == [True, True, False, True]


def refuses(limit, key):
    try:
        with unit_of_work() as session:
            limits.take(session, (limit, key))
    except LimitReached:
        return True
    return False
