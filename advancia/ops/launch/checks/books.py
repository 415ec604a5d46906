"""The books: proven, sealed, and agreed with the providers."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select, text

from advancia.ledger import proofs, seals
from advancia.ops.launch.look import Look
from advancia.ops.launch.registry import Finding, Weight, check, fine, wrong
from advancia.reconciliation.models import ReconciliationRun

PROOF_IS_LATE = timedelta(hours=26)  # it runs every night
NIGHT_IS_LATE = timedelta(hours=26)
QUICK_IS_LATE = timedelta(minutes=30)  # it runs every ten
SEAL_IS_LATE = timedelta(minutes=10)  # it runs every minute

LAST_QUICK = text("select proven_at, upto_txn from ledger.proof order by id desc limit 1")
LAST_SEAL = text("select id, sealed_at, upto_txn from ledger.seal order by id desc limit 1")

SHORTEST_WINDOW = timedelta(hours=20)  # of a run that was asked for and has to do for a night's
LAST_RECONCILIATION = (
    select(
        ReconciliationRun.state,
        ReconciliationRun.finished_at,
        ReconciliationRun.signed_off_at,
        ReconciliationRun.kind,
    )
    .where(
        ReconciliationRun.state != "running",
        ReconciliationRun.provider.is_(None),
        (ReconciliationRun.kind == "nightly")
        | (ReconciliationRun.window_upto - ReconciliationRun.window_from >= SHORTEST_WINDOW),
    )
    .order_by(ReconciliationRun.id.desc())
    .limit(1)
)


@check("All of the books were proven today", weight=Weight.BLOCKER)
def ledger_proven(look: Look) -> Finding:
    last = proofs.latest(look.session)
    remedy = "Run flask --app wsgi ledger check --full, which names what differs. Do clock and worker run?"
    if last is None:
        return wrong("All of them were never proven.", remedy)
    if not last.is_right:
        return wrong(f"The last proof found {last.differences:,} differences.", remedy)
    words = f"{last.entries:,} entries and {last.seals:,} seals, {_minutes(look, last.proven_at)} ago."
    return wrong(words, remedy) if look.now() - last.proven_at > PROOF_IS_LATE else fine(words)


@check("What is new in the books is proven all the time", weight=Weight.BLOCKER)
def quick_check(look: Look) -> Finding:
    last = look.session.execute(LAST_QUICK).first()
    remedy = (
        "Run flask --app wsgi ledger check: it names what differs. Else see whether clock and worker run."
    )
    if last is None:
        return wrong("The books were never checked.", remedy)
    words = f"Up to transaction {last.upto_txn:,}, {_minutes(look, last.proven_at)} ago."
    return wrong(words, remedy) if look.now() - last.proven_at > QUICK_IS_LATE else fine(words)


@check("The books are sealed all the time", weight=Weight.BLOCKER)
def seals_fresh(look: Look) -> Finding:
    lag, last = seals.seal_lag(look.session), look.session.execute(LAST_SEAL).first()
    remedy = "Run flask --app wsgi ledger seal: it says what keeps it. Else see whether clock and worker run."
    if last is None:
        return wrong("Nothing was ever sealed.", remedy)
    if lag.since is not None and look.now() - lag.since > SEAL_IS_LATE:
        return wrong(
            f"{lag.transactions:,} transactions and {lag.lines:,} lines wait for their seal, the oldest for "
            f"{_minutes(look, lag.since)}.",
            remedy,
        )
    return fine(
        f"Seal {last.id:,}, {_minutes(look, last.sealed_at)} ago, up to transaction {last.upto_txn:,}."
    )


@check(
    "The last whole reconciliation, at night or asked for, matched or was signed off", weight=Weight.BLOCKER
)
def reconciliation(look: Look) -> Finding:
    last = look.session.execute(LAST_RECONCILIATION).first()
    remedy = (
        "See Reconciliation in the staff pages: resolve what differs, and have a second person sign it off."
    )
    if last is None or last.finished_at is None:
        return wrong(
            "Nothing was ever reconciled.", "Run flask --app wsgi reconcile, and see whether the clock runs."
        )
    whose = "nightly run" if last.kind == "nightly" else "run that was asked for, and ended"
    words = f"The {whose} at {last.finished_at:%Y-%m-%d %H:%M} UTC: {last.state}"
    if look.now() - last.finished_at > NIGHT_IS_LATE:
        return wrong(
            f"{words}. That was {_minutes(look, last.finished_at)} ago.", "See whether clock and worker run."
        )
    if last.signed_off_at is not None:
        return fine(f"{words}, signed off.")
    return fine(f"{words}.") if last.state == "matched" else wrong(f"{words}, and not signed off.", remedy)


def _minutes(look: Look, when: datetime) -> str:
    minutes = max(int((look.now() - when).total_seconds() // 60), 0)
    return "less than a minute" if minutes == 0 else f"{minutes:,} minute{'' if minutes == 1 else 's'}"
