"""The rows of runs: how one begins, is taken up again, and comes to its verdict."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, func, select, text
from sqlalchemy.dialects.postgresql import insert

from advancia import audit
from advancia.core import alarms, outbox
from advancia.core.clock import utcnow
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.core.errors import NotFound
from advancia.core.jobs import Job
from advancia.core.locks import Lock
from advancia.core.permissions import Permission, Role, permissions_of
from advancia.identity.models import User
from advancia.reconciliation import keeping, weighing
from advancia.reconciliation.errors import AlreadyRunning
from advancia.reconciliation.found import Kind, Side
from advancia.reconciliation.models import ReconciliationDifference as Difference
from advancia.reconciliation.models import ReconciliationRun as Run
from advancia.reconciliation.wording import SOON

USUAL_WINDOW = timedelta(days=7)  # each payment is looked at in as many nights
LONGEST_WINDOW = timedelta(days=35)
GIVEN_UP_AFTER = timedelta(hours=20)  # a run that was broken off this long ago is not taken up again

DIFFERS, ALARM, FAILED = "reconciliation.differs", "reconciliation.alarm", "reconciliation.failed"
NO_PROVIDER = "No payment provider is set up, so the books were held against nobody else's."


@dataclass(frozen=True)
class Window:
    """What of the providers' books is compared: from the first moment, included, up to the second."""

    begins: datetime
    ends: datetime


@contextmanager
def only_one(engine: Engine) -> Iterator[None]:
    """Be the only one that reconciles, in all processes. Raises `AlreadyRunning`."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as guard:
        if not guard.scalar(text("select pg_try_advisory_lock(:lock)"), {"lock": Lock.RECONCILIATION}):
            raise AlreadyRunning
        try:
            yield
        finally:
            guard.execute(text("select pg_advisory_unlock(:lock)"), {"lock": Lock.RECONCILIATION})


def usual_window(session: Session) -> Window:
    """The last days, and as far back as an open difference with a provider reaches, so that it can pass by itself."""
    now = utcnow()
    oldest = session.scalar(
        select(func.min(Difference.happened_at)).where(keeping.IS_OPEN, Difference.side == Side.OUTSIDE)
    )
    begins = now - USUAL_WINDOW if oldest is None else min(now - USUAL_WINDOW, oldest - timedelta(hours=1))
    return Window(max(begins, now - LONGEST_WINDOW), now)


def begin(
    session: Session,
    *,
    kind: str,
    window: Window,
    provider: str | None = None,
    asked_by: int | None = None,
) -> int:
    """Begin a run and return its id; the caller commits. Raises `AlreadyRunning`."""
    run_id: int | None = session.scalar(
        insert(Run)
        .values(
            kind=kind,
            provider=provider,
            window_from=window.begins,
            window_upto=window.ends,
            asked_by=asked_by,
        )
        .on_conflict_do_nothing(index_elements=[Run.state], index_where=Run.state == "running")
        .returning(Run.id)
    )
    if run_id is None:
        raise AlreadyRunning
    return run_id


def ask(session: Session, *, actor: Actor) -> int:
    """Have a worker reconcile now; return the id of the run. Raises `AlreadyRunning`."""
    run_id = begin(session, kind="asked", window=usual_window(session), asked_by=actor.user_id)
    audit.record(session, actor, action="reconciliation.asked", kind="reconciliation", id=run_id)
    outbox.put(session, Job.RECONCILE, run_id=run_id)
    return run_id


def take_up(session: Session) -> int | None:
    """The run that was broken off and is to be gone on with. One that is too old comes to its end here instead."""
    run = session.scalars(select(Run).where(Run.state == "running").with_for_update()).one_or_none()
    if run is None:
        return None
    if run.begun_at > utcnow() - GIVEN_UP_AFTER:
        return run.id
    fail(session, run.id, "It was broken off, and nobody has taken it up again in time.")
    return None


def running(session: Session, run_id: int) -> Run | None:
    """The run, locked, if it has not come to its end. Raises `NotFound`."""
    run = session.get(Run, run_id, with_for_update=True, populate_existing=True)
    if run is None:
        raise NotFound("There is no such run.")
    return run if run.state == "running" else None


def fail(session: Session, run_id: int, why: str) -> None:
    """End the run without a verdict, loudly."""
    run = running(session, run_id)
    if run is None:
        return
    run.state, run.failure, run.finished_at = "failed", why[:2000], func.now()
    run.summary = _summary(run)
    session.flush()
    alarms.sound(session, what=FAILED, words=f"The reconciliation came to no end: {why}")
    _mail(session, run_id)


def conclude(session: Session, run_id: int) -> str:
    """Give the run its verdict, by what its parts have noted, and return it; sound the alarms, mail the report."""
    run = running(session, run_id)
    if run is None:
        return "was concluded before"
    summary = _summary(run)
    summary["passed"] = _pass_what_is_gone(session, run, summary["checks"])
    if run.provider is None:
        keeping.carry_on(session, run_id)
    summary |= _counted(session, run_id)
    run.state = _verdict(summary)
    run.summary, run.finished_at = summary, func.now()
    session.flush()
    _sound(session, run)
    _mail(session, run_id)
    return run.state


def fall_silent(session: Session) -> bool:
    """End the alarm once nothing is open that differs; tell whether that is so."""
    if keeping.open_now(session):
        return False
    alarms.clear(session, what=DIFFERS)
    return True


def _pass_what_is_gone(session: Session, run: Run, tallies: list[dict[str, Any]]) -> int:
    """Close what was not found again, of all that was looked at; tell how much that is."""
    return keeping.pass_what_is_gone(
        session,
        run,
        checks=[each["check"] for each in tallies if each["side"] == Side.INSIDE and each["whole"]],
        providers=_whole_providers(tallies),
        not_looked_at=[(each["provider"], each["check"]) for each in tallies if each.get("remark")],
    )


def _sound(session: Session, run: Run) -> None:
    """Sound, or end, each alarm that a run with a verdict may be about."""
    alarms.clear(session, what=FAILED)
    weighing.follow(session, run)
    _ring(session)
    if run.summary["alarms"]:
        alarms.sound(session, what=ALARM, words=" ".join(run.summary["alarms"]))
    else:
        alarms.clear(session, what=ALARM)


def _ring(session: Session) -> None:
    """Sound that something differs, unless nothing does."""
    if not fall_silent(session):
        count = keeping.open_now(session)
        words = "1 difference is" if count == 1 else f"{count:,} differences are"
        alarms.sound(session, what=DIFFERS, words=f"{words} open in the reconciliation.")


def _summary(run: Run) -> dict[str, Any]:
    """What the parts have noted, put together."""
    parts = run.progress.values()
    troubles = [part["alarm"] for part in parts if part.get("alarm")]
    checks = [tally for part in parts for tally in part.get("tallies", ())]
    troubles += [each["alarm"] for each in checks if each["alarm"]]
    if not any(part.startswith("outside.") for part in run.progress):
        troubles.append(NO_PROVIDER)
    return {"checks": checks, "alarms": troubles}


def _whole_providers(checks: list[dict[str, Any]]) -> list[str]:
    """Those of whose books all was compared, and every difference kept."""
    of_outside = [each for each in checks if each["side"] == Side.OUTSIDE]
    spoilt = {each["provider"] for each in of_outside if each["alarm"] or not each["whole"]}
    return sorted({each["provider"] for each in of_outside} - spoilt)


def _counted(session: Session, run_id: int) -> dict[str, int]:
    is_late = Difference.happened_at < utcnow() - SOON
    counted = session.execute(
        select(
            func.count().filter(keeping.IS_OPEN, Difference.kind != Kind.TIMING).label("open"),
            func.count().filter(keeping.IS_OPEN, Difference.kind == Kind.TIMING).label("timing"),
            func.count().filter(keeping.IS_OPEN, Difference.kind == Kind.TIMING, is_late).label("late"),
            func.count().filter(Difference.state == "resolved").label("resolved"),
            func.count().filter(Difference.run_id == run_id).label("new"),
        ).where(keeping.seen_in(run_id))
    ).one()
    return dict(zip(("open", "timing", "late", "resolved", "new"), counted, strict=True))


def _verdict(summary: dict[str, Any]) -> str:
    if summary["alarms"]:
        return "alarm"
    return "differs" if summary["open"] else "matched"


def _mail(session: Session, run_id: int) -> None:
    """Send the report to everybody who may reconcile."""
    roles = [role for role in Role if Permission.RECONCILE in permissions_of(role)]
    readers = select(User.id).where(User.role.in_(roles), User.suspended_at.is_(None))
    for user_id in session.scalars(readers):
        outbox.put(
            session, Job.SEND_EMAIL, template="reconciliation", user_id=user_id, facts={"run_id": run_id}
        )
