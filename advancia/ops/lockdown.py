"""Switching the lockdown: the row that pages and jobs look at, and the ledger, which then refuses to post."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask import current_app

from advancia import audit
from advancia.core import lockdown
from advancia.core.context import Actor
from advancia.core.db import Session, db, unit_of_work
from advancia.core.lockdown import Lockdown, Watch
from advancia.ledger import freezing

LINES_OF_ONE = 2  # in the audit trail: that it was begun, and that it was lifted


@dataclass(frozen=True)
class State:
    """What is set: the row, and the ledger itself. They differ only while one is switched, or where that broke off."""

    lockdown: Lockdown | None
    is_frozen: bool

    @property
    def is_half(self) -> bool:
        """Whether it was switched by half only: switching again, either way, mends that."""
        return self.is_frozen != (self.lockdown is not None)


def begin(*, reason: str, actor: Actor | None = None, is_total: bool = False) -> bool:
    """Pause all money: close the pages, then stop the ledger once what has begun is done; tell whether it was new.

    Repeatable. Each part is committed by itself, the closing first. Raises `freezing.StillPosting`; then the pages are
    closed and the ledger is not.
    """
    with unit_of_work() as session:
        is_new = lockdown.switch_on(
            session, reason=reason, set_by=actor.user_id if actor else None, is_total=is_total
        )
        if is_new:
            _note(session, actor, "lockdown.begun", reason)
    _look_again()
    freezing.freeze(db.session(), on=True)
    return is_new


def lift(*, reason: str, actor: Actor | None = None) -> bool:
    """Let money move again; tell whether it was paused. Repeatable."""
    freezing.freeze(db.session(), on=False)
    with unit_of_work() as session:
        was_on = lockdown.switch_off(session)
        if was_on:
            _note(session, actor, "lockdown.lifted", reason)
    _look_again()
    return was_on


def state(session: Session) -> State:
    """How the row and the ledger stand now."""
    return State(lockdown.state(session), freezing.is_frozen(session))


def lifted_at(session: Session) -> datetime | None:
    """When the last lockdown that is over was lifted, as the audit trail has it; None if there never was one."""
    lines = audit.records_of(session, kind="lockdown", id=1, limit=LINES_OF_ONE)
    return next((each.recorded_at for each in lines if each.action == "lockdown.lifted"), None)


def _note(session: Session, actor: Actor | None, action: str, reason: str) -> None:
    if actor is None:
        audit.record_of_system(session, action=action, kind="lockdown", id=1, reason=reason)
    else:
        audit.record(session, actor, action=action, kind="lockdown", id=1, reason=reason)


def _look_again() -> None:
    watch: Watch = current_app.extensions["lockdown"]
    watch.forget()
