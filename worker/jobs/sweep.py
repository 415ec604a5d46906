"""Throwing away what has served its purpose."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, func

from advancia.core import outbox
from advancia.core.jobs import Job
from advancia.core.outbox import OutboxRow
from advancia.identity.models import CodeSend, SignInAttempt, SignUp, UserSession
from worker.tasks import Task, job

KEPT_DAYS = timedelta(days=30)


@job(Job.SWEEP)
def sweep(task: Task) -> None:
    """Delete finished work, old tries and sessions that ended a month ago; encrypt old plain secrets. Repeatable."""
    old = func.now() - KEPT_DAYS
    with task.finish() as session:
        outbox.encrypt_plain_secrets(session)
        session.execute(delete(OutboxRow).where(OutboxRow.done_at < old))
        session.execute(delete(SignInAttempt).where(SignInAttempt.tried_at < old))
        session.execute(delete(CodeSend).where(CodeSend.sent_at < old))
        session.execute(delete(SignUp).where(SignUp.created_at < old))
        session.execute(delete(UserSession).where(UserSession.expires_at < old))
