"""Keeping the books quick to read and provable: roll-ups, filing, seals, and the nightly proof."""

from __future__ import annotations

import time

from flask import current_app

from advancia.core import log
from advancia.core.db import db
from advancia.core.jobs import Job
from advancia.ledger import check, filing, horizon, seals
from advancia.ledger.check import LedgerReport
from worker.tasks import Task, job

LONGEST_SEALING = 60.0  # seconds; what is left then is sealed by the next turn

_log = log.logger(__name__)


@job(Job.CHECK_LEDGER)
def check_ledger(_task: Task) -> None:
    """Prove what came since the last check; a difference is logged as an error, with the rows at fault."""
    try:
        _say("ledger_check", check.run_quick(db.session(), keys=_seal_keys()))
    except horizon.HeldBack as trouble:
        _log.warning("ledger_check_waits", trouble=str(trouble))


@job(Job.PROVE_LEDGER)
def prove_ledger(task: Task) -> None:
    """Compute all of the books again and verify their seals; a difference is logged as by `check_ledger`.

    It may take as long as there are books. Tried again, it begins anew.
    """
    with task.kept():
        _say("ledger_proof", check.run(db.session(), keys=_seal_keys()))


@job(Job.ROLL_UP_LEDGER)
def roll_up_ledger(_task: Task) -> None:
    """Sum up the house's accounts and file long histories, so that both stay quick to read.

    Safe to run twice, and at any time.
    """
    filing.file_entries(db.session())
    try:
        horizon.roll_up(db.session())
    except horizon.HeldBack as trouble:
        _log.warning("ledger_roll_up_waits", trouble=str(trouble))


@job(Job.SEAL_LEDGER)
def seal_ledger(_task: Task) -> None:
    """Seal what has become final, after a pause in as many turns as it takes; the heads go to the log.

    Each seal is committed by itself: a run that dies in between is continued by the next, and of two runs at
    once each block is sealed by one.
    """
    until = time.monotonic() + LONGEST_SEALING
    try:
        for seal in seals.seal(db.session(), _seal_keys()):
            _log.info(
                "ledger_sealed", seal=seal.chained, key=seal.key_id, upto=seal.upto_txn, entries=seal.entries
            )
            if time.monotonic() > until:
                break
    except seals.BrokenChain as alarm:
        _log.error("ledger_seal_broken", trouble=str(alarm))
    except (horizon.HeldBack, seals.NoSealKey) as trouble:
        lag = seals.seal_lag(db.session())
        _log.warning(
            "ledger_seal_waits",
            trouble=str(trouble),
            transactions=lag.transactions,
            lines=lag.lines,
            since=lag.since and lag.since.isoformat(),
        )


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
