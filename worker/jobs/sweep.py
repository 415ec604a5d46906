"""Throwing away what has served its purpose."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import ColumnElement, delete, func, select

from advancia.core import alarms, heartbeats, outbox, runs
from advancia.core.clock import utcnow
from advancia.core.jobs import Job
from advancia.core.recurring import TABLE
from advancia.identity.factors.models import AuthenticatorApp, PasskeyChallenge, PendingSignIn
from advancia.identity.factors.services.apps import DRAFT_VALID_FOR
from advancia.identity.models import CountedTry, Device, SignUp, User, UserSession
from advancia.identity.recovery.models import EmailChange, PasswordReset
from advancia.identity.services import sign_in
from advancia.identity.sessions import devices
from advancia.ops.launch import mailbox
from advancia.reconciliation import keeping
from worker.tasks import Task, job

KEPT_DAYS = timedelta(days=30)


@job(Job.SWEEP)
def sweep(task: Task) -> None:
    """Delete finished work, old tries and sessions that ended a month ago; encrypt old plain secrets. Repeatable.

    The last run of each line of the clock stays, however old, and alarms stay for a year.
    """
    old = func.now() - KEPT_DAYS
    with task.finish() as session:
        outbox.encrypt_plain_secrets(session)
        done = runs.delete_done(session, before=old, kept=[line.job for line in TABLE])
        heartbeats.forget_the_gone(session)
        alarms.forget_the_old(session)
        mailbox.empty(session)
        session.execute(delete(CountedTry).where(CountedTry.expires_at < func.now()))
        session.execute(delete(CountedTry).where(CountedTry.tried_at < old, _of_nobody()))
        session.execute(delete(PasskeyChallenge).where(PasskeyChallenge.expires_at < func.now()))
        session.execute(delete(PendingSignIn).where(PendingSignIn.expires_at < old))
        session.execute(delete(AuthenticatorApp).where(_is_left_draft()))
        session.execute(delete(SignUp).where(SignUp.created_at < old))
        session.execute(delete(PasswordReset).where(PasswordReset.expires_at < old))
        session.execute(delete(EmailChange).where(EmailChange.expires_at < old))
        ended_at = func.least(UserSession.ended_at, UserSession.expires_at)
        session.execute(delete(UserSession).where(ended_at < old))
        keeping.forget_items(session, before=utcnow() - KEPT_DAYS)
        session.execute(delete(Device).where(Device.last_seen_at < func.now() - devices.KEPT))
        task.outcome = f"{done:,} pieces of finished work deleted, and what else was old."


def _is_left_draft() -> ColumnElement[bool]:
    """An app that somebody began to set up, and left."""
    too_old = AuthenticatorApp.created_at < func.now() - DRAFT_VALID_FOR
    return AuthenticatorApp.confirmed_at.is_(None) & too_old


def _of_nobody() -> ColumnElement[bool]:
    """Failures in a row at an address that nobody has. Those at somebody's count until one succeeds."""
    owner = select(User.id).where(User.email == CountedTry.key)
    return (CountedTry.what == sign_in.STRANGERS_IN_ALL.what) & ~owner.exists()
