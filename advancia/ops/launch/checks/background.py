"""What runs unseen: the processes that nobody calls, the work that waits, and the alarms that nobody has answered."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select

from advancia.core import alarms, heartbeats
from advancia.core.outbox import OutboxRow
from advancia.ops import lockdown
from advancia.ops.launch.look import Look
from advancia.ops.launch.registry import Finding, Weight, check, fine, weak, wrong
from advancia.webhooks.models import WebhookEvent

LATE = timedelta(minutes=5)
NAMED_AT_MOST = 5


@check("Money may move", weight=Weight.BLOCKER)
def no_lockdown(look: Look) -> Finding:
    paused = lockdown.state(look.session)
    if paused.is_half:
        return wrong(
            "The lockdown was switched by half only.", "Switch it once more: flask --app wsgi lockdown off."
        )
    if paused.lockdown is not None:
        return wrong(f"A lockdown is on: {paused.lockdown.reason}", "Lift it: flask --app wsgi lockdown off.")
    return fine("No lockdown is on.")


@check("Worker, relay and clock are alive", weight=Weight.BLOCKER)
def processes(look: Look) -> Finding:
    beats = heartbeats.last_beats(look.session)
    silent = [
        f"{name} ({_ago(look, beats[name]) if name in beats else 'never heard'})"
        for name in heartbeats.PROCESSES
        if name not in beats or look.now() - beats[name] > heartbeats.SILENT_AFTER
    ]
    if silent:
        return wrong(f"Not heard: {', '.join(silent)}.", "Start them: Procfile says how.")
    return fine("; ".join(f"{name} {_ago(look, beats[name])}" for name in heartbeats.PROCESSES) + ".")


@check("Background work is not late", weight=Weight.BLOCKER)
def work_in_time(look: Look) -> Finding:
    is_open = (OutboxRow.done_at.is_(None), OutboxRow.parked_at.is_(None))
    late = look.session.scalar(
        select(func.count()).where(*is_open, OutboxRow.available_at < look.now() - LATE)
    )
    if late:
        return wrong(
            f"{_counted(late, 'piece')} late by more than five minutes.",
            "See Background work; start more workers.",
        )
    return fine("Nothing is more than five minutes late.")


@check("No work was given up", weight=Weight.WARNING)
def no_parked_work(look: Look) -> Finding:
    jobs = look.session.scalar(
        select(func.count()).where(OutboxRow.parked_at.is_not(None), OutboxRow.done_at.is_(None))
    )
    events = look.session.scalar(select(func.count()).where(WebhookEvent.state == "parked"))
    if jobs or events:
        return wrong(
            f"Parked: {_counted(jobs, 'piece')} of work, {_counted(events, 'webhook event')}.",
            "Mend what stopped them, and try them again under Background work and Webhooks.",
        )
    return fine("No work and no webhook event is parked.")


@check("No alarm is open", weight=Weight.BLOCKER)
def no_open_alarms(look: Look) -> Finding:
    there = alarms.open_alarms(look.session)
    if not there:
        return fine("No alarm is open.")
    named = "; ".join(f"{each.what}: {each.words}" for each in there[:NAMED_AT_MOST])
    remedy = "See Alarms in the staff pages: each says what to do, and ends when its cause is gone."
    judged = wrong if any(each.is_critical for each in there) else weak
    return judged(f"{len(there)} open. {named}", remedy)


def _counted(number: int | None, of: str) -> str:
    return f"{number or 0:,} {of}{'' if number == 1 else 's'}"


def _ago(look: Look, when: datetime) -> str:
    return f"{max((look.now() - when).total_seconds(), 0):.0f} s ago"
