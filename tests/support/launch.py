"""A copy as it should be on the day of the launch, in a database of its own, for faults to be planted in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import Context
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from flask import Flask
from sqlalchemy import text

from advancia.app import create_app
from advancia.config import load_settings
from advancia.core import heartbeats
from advancia.core.db import db, unit_of_work
from advancia.core.money import Money
from advancia.ledger import check, proofs, seals
from advancia.ops.launch.look import Look
from advancia.ops.launch.registry import Finding, checks
from tests.support.people import give, new_customer, new_staff
from tests.support.scratch import Scratch

PUBLIC_URL = "https://pay.launched.net"
GIB = 1024**3

# What production asks for, in values that open nothing.
SET = {
    "ADVANCIA_ENV": "production",
    "PUBLIC_URL": PUBLIC_URL,
    "SECRET_KEY": "0123456789abcdef" * 4,
    "FIELD_KEYS": "launch:" + "0123456789abcdef" * 4,
    "STRIPE_SECRET_KEY": "sk_live_" + "0" * 24,
    "STRIPE_WEBHOOK_SECRET": "whsec_" + "0" * 24,
    "CRYPTOMUS_MERCHANT": "00000000-0000-4000-8000-000000000000",
    "CRYPTOMUS_PAYMENT_KEY": "0" * 32,
    "CRYPTOMUS_PAYOUT_KEY": "1" * 32,
    "TRUSTED_PROXIES": "1",
    "SMTP_URL": "smtp://127.0.0.1:9",
    "MAIL_FROM": "Advancia <pay@launched.net>",
    "SECURITY_CONTACT": "mailto:security@launched.net",
    "BACKUP_TARGET": "s3://launched-backups/advancia",
    "BACKUP_RECIPIENTS": "age1" + "q" * 58,
}

NIGHT = """
    insert into reconciliation_run (kind, state, window_from, window_upto, finished_at)
    values ('nightly', 'matched', now() - interval '1 day', now(), now());
    insert into backup (name, why, state, target, finished_at, stored_bytes, sha256, manifest)
    values ('2026-11-24T021500Z-1a2b3c', 'daily', 'done', 's3://launched-backups', now(), 4096, 'aa', '{}');
    insert into backup_proof (backup_id, state, finished_at, restore_seconds)
    select id, 'passed', now(), 3 from backup
"""


@dataclass
class WellSet:
    """The copy. `find` looks by one check, with a fault planted in SQL, in the clock, the disk, or on the way out."""

    app: Flask
    environ: dict[str, str]

    def find(self, name: str, fault: str = "", **otherwise: Any) -> Finding:
        """What the check finds; the fault's changes are rolled back by the check itself."""
        look = Look(
            **{
                "app": self.app,
                "url": PUBLIC_URL,
                "present": self.environ,
                "disk_usage": lambda _path: SimpleNamespace(total=100 * GIB, free=50 * GIB),
                "transport": Inside(
                    self.app, otherwise.pop("served", {}), otherwise.pop("seen_from", "9.9.9.9")
                ),
                "patience": 0.0,
                **otherwise,
            }
        )
        with self.app.app_context():
            if fault:
                look.session.execute(text(fault))
            return next(each for each in checks() if each.name == name).find(look)

    def set_otherwise(self, **changes: str | None) -> WellSet:
        """The same copy with other settings; `None` takes one away."""
        environ = {**self.environ, **changes}
        kept = {name: value for name, value in environ.items() if value is not None}
        return WellSet(create_app(load_settings(kept)), kept)


class Inside(httpx.BaseTransport):
    """The way to the product without a network; `served` replaces the answers to some paths, by status and changes."""

    def __init__(self, app: Flask, served: dict[str, Any], seen_from: str) -> None:
        self._seen_from = seen_from
        self._app = httpx.WSGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
        self._served = served

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["X-Forwarded-For"] = self._seen_from
        request.headers["X-Forwarded-Proto"] = "https"
        if request.url.scheme == "http":  # the proxy's own part
            leads_on = httpx.Response(301, headers={"Location": str(request.url.copy_with(scheme="https"))})
            return self._served.get(f"http:{request.url.path}", leads_on)
        replaced = self._served.get(request.url.path)
        if isinstance(replaced, httpx.Response):
            return replaced
        answer = Context().run(self._answer, request)  # as in another process: nothing of ours is known there
        return replaced(answer) if replaced else answer

    def _answer(self, request: httpx.Request) -> httpx.Response:
        answer = self._app.handle_request(request)
        answer.read()
        return answer


def plant(app: Flask) -> None:
    """Make what a launched copy has: people, proven and sealed books, a night's work, and signs of life."""
    settings = app.extensions["settings"]
    for role in ("owner", "owner", "finance"):
        new_staff(app, role)
    amara = new_customer(app, "Amara Okafor")
    give(app, amara.id, Money.of("10.00", "USD"))
    with app.app_context():
        list(seals.seal(db.session(), settings.seal_keys))
        check.run_quick(db.session(), keys=settings.seal_keys)
        report = check.run(db.session(), keys=settings.seal_keys)
        db.session.rollback()
        with unit_of_work() as session:
            proofs.note(session, report)
            for process in heartbeats.PROCESSES:
                heartbeats.beat(session, process=process)
            for statement in NIGHT.split(";"):
                session.execute(text(statement))


@pytest.fixture(scope="module")
def well_set(scratch_of: Callable[..., Scratch]) -> Iterator[WellSet]:
    scratch = scratch_of()
    environ = {**scratch.environ, **SET}
    made = WellSet(create_app(load_settings(environ)), environ)
    plant(made.app)
    yield made
    with made.app.app_context():
        db.engine.dispose()
