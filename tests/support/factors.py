"""Second factors for tests: an authenticator app that needs no phone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID, uuid4

from flask import Flask
from sqlalchemy import select, update

from advancia.audit import records_by
from advancia.core.clock import utcnow
from advancia.core.db import db, unit_of_work
from advancia.core.outbox import OutboxRow
from advancia.identity.factors.models import AuthenticatorApp, Passkey
from advancia.identity.factors.services import account, apps, totp
from advancia.identity.models import UserSession
from tests.support.pages import Answer, Page


class Person(Protocol):
    @property
    def id(self) -> int: ...
    @property
    def email(self) -> str: ...
    @property
    def password(self) -> str: ...


def enrol_totp(app: Flask, person: Person) -> bytes:
    """Give the person an authenticator app, as if set up long ago, and return its secret."""
    secret = totp.new_secret()
    with app.app_context(), unit_of_work() as session:
        apps.give(session, user_id=person.id, secret=secret, keyring=app.extensions["keyring"])
    return secret


def give_passkey(app: Flask, person: Person, name: str = "A passkey") -> UUID:
    """Give the person a passkey that no device holds, besides whatever they have, and return its id."""
    passkey = Passkey(
        id=uuid4(),
        user_id=person.id,
        user_handle=b"handle",
        credential_id=uuid4().bytes,
        credential=b"",
        sign_count=0,
        name=name,
        synced=False,
    )
    passkey_id = passkey.id
    with app.app_context(), unit_of_work() as session:
        session.add(passkey)
        account.added(session, user_id=person.id, session_id=None)
    return passkey_id


def code(secret: bytes, *, step: int = 0) -> str:
    """What the app shows now, or so many steps of 30 seconds later. A code is taken once, and no older one after it."""
    return totp.code(secret, at=utcnow() + step * timedelta(seconds=totp.STEP_SECONDS))


def forget_used_codes(app: Flask, person: Person) -> None:
    """Let the codes of the last minute be taken again, as if time had gone by."""
    with app.app_context(), unit_of_work() as session:
        session.execute(
            update(AuthenticatorApp).where(AuthenticatorApp.user_id == person.id).values(last_step=None)
        )


def sign_in_with_code(page: Page, person: Any, secret: bytes, *, step: int = 0) -> Answer:
    """Sign in by password and code through the forms; the answer is the redirect at the end."""
    asked = page.submit("/login", email=person.email, password=person.password)
    assert asked.location == "/login/second-factor", asked.text
    answer = page.submit("/login/second-factor", code=code(secret, step=step))
    assert answer.status == 303, answer.text
    return answer


def let_minutes_pass(app: Flask, person: Person, minutes: int = 6) -> None:
    """Move what the person's sessions remember to have proved that far into the past."""
    proofs = (UserSession.confirmed_at, UserSession.second_factor_at, UserSession.password_at)
    past = {each.key: each - timedelta(minutes=minutes) for each in proofs}
    with app.app_context(), unit_of_work() as session:
        session.execute(update(UserSession).where(UserSession.user_id == person.id).values(**past))


def mails_to(app: Flask, person: Person) -> list[str]:
    """The titles of the notices that are on their way to the person or were sent, the oldest first."""
    title = OutboxRow.payload["facts"]["title"].astext
    with app.app_context():
        chosen = select(title).where(OutboxRow.payload["to"].astext == person.email).order_by(OutboxRow.id)
        return [each for each in db.session.scalars(chosen) if each]


def audited(app: Flask, person: Person) -> list[str]:
    """The actions of the person that the audit trail holds, the newest first."""
    with app.app_context():
        return [line.action for line in records_by(db.session(), actor_id=person.id, limit=50)]
