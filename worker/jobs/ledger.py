"""Keeping the books quick to read and provable: roll-ups, filing, seals, and the nightly proof."""

from __future__ import annotations

import time
from datetime import timedelta

from flask import current_app

from advancia.core import alarms, log
from advancia.core.clock import utcnow
from advancia.core.db import db
from advancia.core.jobs import Job
from advancia.ledger import check, filing, horizon, proofs, seals
from advancia.ledger.check import LedgerReport
from advancia.ledger.seals import SealLag
from worker.tasks import Task, job

LONGEST_SEALING = 60.0  # seconds; what is left then is sealed by the next turn
UNSEALED_TOO_LONG = timedelta(minutes=15)
TOLD = 3  # differences in an alarm; the log has all of them

_log = log.logger(__name__)


@job(Job.CHECK_LEDGER)
def check_ledger(task: Task) -> None:
    """Prove what came since the last check; a difference is logged as an error and sounds an alarm."""
    try:
        report = check.run_quick(db.session(), keys=_seal_keys())
    except horizon.HeldBack as trouble:
        _log.warning("ledger_check_waits", trouble=str(trouble))
        task.outcome = f"It waits: {trouble}"
        return
    _say("ledger_check", report)
    with task.finish() as session:
        task.outcome = _in_words(report)
        alarms.follow(session, what="ledger.check", words=_trouble(report))


@job(Job.PROVE_LEDGER)
def prove_ledger(task: Task) -> None:
    """Compute all of the books again and verify their seals; a difference is told as by `check_ledger`.

    It may take as long as there are books. Tried again, it begins anew. What it found stays (`ledger.proofs`).
    """
    with task.kept():
        report = check.run(db.session(), keys=_seal_keys())
    _say("ledger_proof", report)
    with task.finish() as session:
        task.outcome = _in_words(report)
        proofs.note(session, report)
        alarms.follow(session, what="ledger.proof", words=_trouble(report))


@job(Job.ROLL_UP_LEDGER)
def roll_up_ledger(task: Task) -> None:
    """Sum up the house's accounts and file long histories, so that both stay quick to read.

    Safe to run twice, and at any time.
    """
    filing.file_entries(db.session())
    try:
        summed_up = horizon.roll_up(db.session())
        task.outcome = f"{summed_up} summed up." if summed_up else "Nothing to sum up yet."
    except horizon.HeldBack as trouble:
        _log.warning("ledger_roll_up_waits", trouble=str(trouble))
        task.outcome = f"It waits: {trouble}"


@job(Job.SEAL_LEDGER)
def seal_ledger(task: Task) -> None:
    """Seal what has become final, after a pause in as many turns as it takes; the heads go to the log.

    Each seal is committed by itself: a run that dies in between is continued by the next, and of two runs at
    once each block is sealed by one. A broken chain sounds an alarm, and so does what has waited for long.
    """
    trouble = None
    try:
        made = _seal()
        task.outcome = f"{made} seal{'' if made == 1 else 's'} made." if made else "Nothing new to seal."
    except seals.BrokenChain as broken:
        _log.error("ledger_seal_broken", trouble=str(broken))
        task.outcome = trouble = str(broken)
    except (horizon.HeldBack, seals.NoSealKey) as why:
        lag = _waiting(why)
        task.outcome = f"It waits: {why}"
        trouble = task.outcome if lag.since and utcnow() - lag.since > UNSEALED_TOO_LONG else None
    with task.finish() as session:
        alarms.follow(session, what="ledger.seal", words=trouble)


def _seal() -> int:
    """Make seals until all is sealed or the time is up; return how many."""
    until, made = time.monotonic() + LONGEST_SEALING, 0
    for made, seal in enumerate(seals.seal(db.session(), _seal_keys()), start=1):  # noqa: B007 - counted
        _log.info(
            "ledger_sealed", seal=seal.chained, key=seal.key_id, upto=seal.upto_txn, entries=seal.entries
        )
        if time.monotonic() > until:
            break
    return made


def _waiting(why: Exception) -> SealLag:
    lag = seals.seal_lag(db.session())
    _log.warning(
        "ledger_seal_waits",
        trouble=str(why),
        transactions=lag.transactions,
        lines=lag.lines,
        since=lag.since and lag.since.isoformat(),
    )
    return lag


def _seal_keys() -> tuple[tuple[str, bytes], ...]:
    keys: tuple[tuple[str, bytes], ...] = current_app.extensions["settings"].seal_keys
    return keys


def _say(event: str, report: LedgerReport) -> None:
    (_log.info if report.is_right else _log.error)(
        event,
        verdict=report.verdict,
        entries=report.entries,
        seals=report.seals,
        head=report.head,
        differences=[str(each) for each in report.differences],
    )


def _in_words(report: LedgerReport) -> str:
    if report.is_right:
        what = "The books are empty" if report.is_empty else "Right"
        return f"{what}: entries {report.entries:,}, seals {report.seals:,}."
    return f"Wrong: {_counted(report)}."


def _trouble(report: LedgerReport) -> str | None:
    """What an alarm says of the differences; nothing when there are none."""
    if report.is_right:
        return None
    told = " ".join(f"{each}." for each in report.differences[:TOLD])
    return f"The books do not agree with themselves: {_counted(report)}. {told}"


def _counted(report: LedgerReport) -> str:
    number = len(report.differences)
    return f"{number} difference{'' if number == 1 else 's'}"
