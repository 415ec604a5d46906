"""Things that belong to somebody, and forms filled in so that they would do: what the crawler asks for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import uuid4

from flask import Flask
from sqlalchemy import func, insert, select, update

from advancia import audit, ledger
from advancia.admin.rollbacks import services as rollbacks
from advancia.core import alarms
from advancia.core.alarms import Alarm
from advancia.core.clock import utcnow
from advancia.core.context import Actor
from advancia.core.db import db, unit_of_work
from advancia.core.money import Money
from advancia.core.outbox import OutboxRow
from advancia.identity.models import User, UserSession
from advancia.identity.recovery import tokens
from advancia.identity.recovery.models import EmailChange, FactorReset, PasswordReset
from advancia.identity.sessions import services as sessions
from advancia.ops.backups import running
from advancia.ops.backups.models import Backup, BackupProof
from advancia.ops.launch.models import LaunchRun
from advancia.payments import services as payments
from advancia.payments.models import StrayPayment
from advancia.payments.strays import services as strays
from advancia.reconciliation import keeping
from advancia.reconciliation.found import Found, Kind, Side
from advancia.reconciliation.models import ReconciliationDifference as Difference
from advancia.reconciliation.models import ReconciliationRun as Run
from advancia.wallet import queries as wallet
from advancia.wallet.transfers import services as transfers
from advancia.webhooks import services as webhooks
from advancia.webhooks.models import WebhookEvent
from advancia.webhooks.services import Arrived
from tests.support.factors import give_passkey
from tests.support.people import PASSWORD, Customer, new_customer, new_staff

NOTE = "for the pineapples"


@dataclass
class Place:
    """A route with something of `owner` in it: where to send what, and what of it nobody else may read."""

    path: str
    fields: dict[str, Any]
    owner: Customer
    marks: list[str] = field(default_factory=list)


def place(app: Flask, route: str) -> Place:
    """Make a person, and what the route is about as theirs. Raises `LookupError` for a variable without an entry."""
    owner, friend = (
        new_customer(app, "Zenobia Quartermain", USD="50.00"),
        new_customer(app, "Carol Lindqvist"),
    )
    path = route.partition(" ")[2]
    for variable in re.findall(r"<(?:\w+:)?(\w+)>", path):
        if (make := MAKE.get(variable) or MAKE.get(path.partition("<")[0])) is None:
            raise LookupError(f"Say in tests/security/objects.py how to make a {variable}, for {route}.")
        path = re.sub(rf"<(?:\w+:)?{variable}>", str(make(app, owner, friend)), path)
    return Place(path, fields(friend), owner, [owner.email, owner.handle, owner.name, NOTE])


def _new_people(app: Flask) -> tuple[Customer, Customer]:
    return new_customer(app, "Zenobia Quartermain", USD="50.00"), new_customer(app, "Carol Lindqvist")


_any_people = cache(_new_people)  # for routes that are about nobody in particular


def fields(friend: Customer) -> dict[str, Any]:
    """Something good for every field there is, so that a form is refused for who sends it alone."""
    return {
        "email": friend.email, "password": PASSWORD, "name": "Amara Okafor", "terms": "y", "code": "000000",
        "recipient": friend.email, "asset": "USD", "amount": "1.00", "note": NOTE, "provider": "sandbox",
        "request_id": str(uuid4()), "reason": "The customer asked for it.",
    }  # fmt: skip


def actor(person: Customer) -> Actor:
    return Actor(user_id=person.id, role="customer", address="10.0.0.1", request_id="for-the-crawler")


def _transfer(app: Flask, owner: Customer, friend: Customer) -> Any:
    with app.app_context(), unit_of_work() as session:
        return transfers.send(
            session,
            actor=actor(owner),
            recipient=friend.email,
            amount=Money.of("2.00", "USD"),
            note=NOTE,
            request_id=uuid4(),
        )


def _deposit(app: Flask, owner: Customer, _friend: Customer) -> Any:
    with app.app_context(), unit_of_work() as session:
        return payments.request_deposit(
            session,
            actor=actor(owner),
            amount=Money.of("20.00", "USD"),
            provider="sandbox",
            request_id=uuid4(),
        )


def _stray(app: Flask, owner: Customer, friend: Customer) -> int:
    deposit_id = _deposit(app, owner, friend)
    with app.app_context(), unit_of_work() as session:
        strays.put_aside(
            session,
            provider="sandbox",
            payment_id=f"pi_{uuid4().hex}",
            amount=Money.of("20.00", "USD"),
            words="20.00 USD",
            reason="The account is suspended.",
            deposit_id=deposit_id,
        )
        return session.scalars(select(StrayPayment.id).where(StrayPayment.deposit_id == deposit_id)).one()


def _event(app: Flask, owner: Customer, _friend: Customer) -> int:
    arrived = Arrived("sandbox", f"evt_{uuid4().hex}", "invoice.finalized", "in_1", "signed")
    with app.app_context(), unit_of_work() as session:
        webhooks.receive(session, event=arrived, body=owner.email.encode(), headers={})
        return session.scalars(select(WebhookEvent.id).where(WebhookEvent.event_id == arrived.event_id)).one()


def _launch_run(app: Flask, _owner: Customer, _friend: Customer) -> int:
    done = {"state": "done", "finished_at": func.now(), "url": "https://pay.test.example"}
    with app.app_context(), unit_of_work() as session:
        return session.scalars(insert(LaunchRun).values(**done).returning(LaunchRun.id)).one()


def _alarm(app: Flask, owner: Customer, _friend: Customer) -> int:
    with app.app_context(), unit_of_work() as session:
        alarms.sound(session, what="test.crawled", about=str(uuid4()), words=f"{owner.email} is crawled for.")
        return session.scalars(select(func.max(Alarm.id))).one()


def _work(app: Flask, owner: Customer, _friend: Customer) -> int:
    with app.app_context(), unit_of_work() as session:
        return session.scalars(
            insert(OutboxRow)
            .values(kind="sweep", payload={"to": owner.email}, attempts=24, parked_at=func.now())
            .returning(OutboxRow.id)
        ).one()


def _movement(app: Flask, owner: Customer, friend: Customer) -> str:
    _transfer(app, owner, friend)
    with app.app_context():
        return wallet.history(db.session(), owner.id).rows[0].reference


def _transaction(app: Flask, owner: Customer, friend: Customer) -> int:
    reference = _movement(app, owner, friend)
    with app.app_context():
        found = ledger.transaction(db.session(), reference)
    assert found is not None
    return found.id


def _proof(app: Flask, owner: Customer, friend: Customer) -> int:
    backup_id = _backup(app, owner, friend)
    with app.app_context(), unit_of_work() as session:
        row = BackupProof(backup_id=backup_id, state="failed", reason="For a test.", finished_at=utcnow())
        session.add(row)
        session.flush()
        return row.id


def _backup(app: Flask, owner: Customer, _friend: Customer) -> int:
    with app.app_context(), unit_of_work() as session:
        row = Backup(
            name=running.new_name(utcnow()),
            why="asked",
            state="failed",
            failure="For a test.",
            asked_by=owner.id,
            target="/",
        )
        session.add(row)
        session.flush()
        return row.id


def _approval(app: Flask, owner: Customer, friend: Customer) -> Any:
    asker = new_staff(app, "admin")
    txn_id = _transaction(app, owner, friend)
    with app.app_context(), unit_of_work() as session:
        return rollbacks.ask(
            session, actor=actor(asker), txn_id=txn_id, reason="The customer asked for it.", allow_debt=False
        )


def _line(app: Flask, owner: Customer, _friend: Customer) -> int:
    with app.app_context(), unit_of_work() as session:
        return audit.record(session, actor(owner), action="thing.made", kind="user", id=owner.id)


def _session(app: Flask, owner: Customer, _friend: Customer) -> int:
    with app.app_context(), unit_of_work() as session:
        sessions.start(
            session, user_id=owner.id, address="10.0.0.2", user_agent="Another browser", second_factor=True
        )
        newest = select(func.max(UserSession.id)).where(UserSession.user_id == owner.id)
        return session.scalars(newest).one()


def _reconciliation_run(app: Flask, _owner: Customer, _friend: Customer) -> int:
    told = {"kind": "nightly", "state": "differs", "finished_at": func.now()}
    window = {"window_from": utcnow() - timedelta(days=1), "window_upto": utcnow()}
    with app.app_context(), unit_of_work() as session:
        return session.scalars(insert(Run).values(**told, **window).returning(Run.id)).one()


def _difference(app: Flask, owner: Customer, friend: Customer) -> int:
    run_id = _reconciliation_run(app, owner, friend)
    found = Found(
        side=Side.INSIDE, check="floors", kind=Kind.FLOOR, key=uuid4().hex, words="Planted.", asset="USD", our_amount=1
    )  # fmt: skip
    with app.app_context(), unit_of_work() as session:
        keeping.keep(session, run_id, [found])
        return session.scalars(select(Difference.id).where(Difference.key == found.key)).one()


def _given(app: Flask, row: Any) -> None:
    with app.app_context(), unit_of_work() as session:
        session.execute(update(User).where(User.id == row.user_id).values(second_factor_since=func.now()))
        session.add(row)


def _password_reset(app: Flask, owner: Customer, _friend: Customer) -> str:
    token = tokens.new_token()
    soon = utcnow() + timedelta(hours=1)
    _given(app, PasswordReset(user_id=owner.id, token_hash=tokens.token_hash(token), expires_at=soon))
    return token


def _email_change(app: Flask, owner: Customer, _friend: Customer) -> str:
    old, new = tokens.new_token(), tokens.new_token()
    change = EmailChange(
        user_id=owner.id,
        old_email=owner.email,
        new_email=f"new-{owner.email}",
        old_token_hash=tokens.token_hash(old),
        new_token_hash=tokens.token_hash(new),
        expires_at=utcnow() + timedelta(hours=1),
    )
    _given(app, change)
    return old


def _factor_reset(app: Flask, owner: Customer, friend: Customer) -> str:
    begun, ready = tokens.new_token(), tokens.new_token()
    reset = FactorReset(
        user_id=owner.id,
        begun_by=friend.id,
        reason="The phone is lost.",
        begun_token_hash=tokens.token_hash(begun),
        ready_token_hash=tokens.token_hash(ready),
        created_at=utcnow() - timedelta(days=1),
        ready_at=utcnow() - timedelta(minutes=1),
        expires_at=utcnow() + timedelta(hours=1),
    )
    _given(app, reset)
    return ready


# By the variable's name; a token, which is a different thing in each route, by what stands before it.
MAKE: dict[str, Callable[[Flask, Customer, Customer], Any]] = {
    "transfer_id": _transfer,
    "deposit_id": _deposit,
    "reference": _movement,
    "txn_id": _transaction,
    "approval_id": _approval,
    "line_id": _line,
    "stray_id": _stray,
    "event_id": _event,
    "work_id": _work,
    "run_id": _reconciliation_run,
    "difference_id": _difference,
    "alarm_id": _alarm,
    "job": lambda *_: "sweep",
    "launch_id": _launch_run,
    "backup_id": _backup,
    "proof_id": _proof,
    "member_id": lambda app, _owner, _friend: new_staff(app, "support").id,
    "user_id": lambda _app, owner, _friend: owner.id,
    "session_id": _session,
    "passkey_id": lambda app, owner, _friend: give_passkey(app, owner),
    "/password/reset/": _password_reset,
    "/email-change/": _email_change,
    "/factor-reset/": _factor_reset,
    "/dev/mail/": lambda *_: "20261124-000000-none.eml",  # development alone, and open to all there
}
