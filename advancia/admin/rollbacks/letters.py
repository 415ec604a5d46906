"""The mail to each customer whose money a rollback has moved."""

from __future__ import annotations

from collections.abc import Sequence

from advancia import ledger
from advancia.core import outbox
from advancia.core.db import Session
from advancia.core.jobs import Job
from advancia.ledger.accounts import AVAILABLE, HOUSE, RECEIVABLE

WHAT = {"deposit": "payment in", "transfer": "transfer", "opening": "opening balance", "refund": "refund"}


def tell_customers(session: Session, *, undone: ledger.Transaction, rollback_reference: str) -> None:
    """Mail each of them what came back or was taken, once the caller's unit of work is committed. Never why."""
    rollback = ledger.transaction(session, rollback_reference)
    if rollback is None:
        raise LookupError(f"There is no transaction {rollback_reference}.")
    for holder in sorted({entry.account.holder for entry in rollback.entries} - {HOUSE}):
        entries = [entry for entry in rollback.entries if entry.account.holder == holder]
        facts = {
            "what": WHAT.get(undone.kind, "transaction"),
            "day": f"{undone.created_at:%-d %B %Y}",
            "lines": [list(line) for line in _lines(entries)],
        }
        if any(entry.account.purpose == AVAILABLE for entry in entries):  # then it stands in their history
            facts["reference"] = rollback_reference
        outbox.put(session, Job.SEND_EMAIL, template="rolled_back", user_id=holder, facts=facts)


def _lines(entries: Sequence[ledger.Entry]) -> list[tuple[str, str]]:
    return [
        (_words(entry), str(abs(entry.amount)))
        for entry in entries
        if entry.account.purpose in (AVAILABLE, RECEIVABLE)
    ]


def _words(entry: ledger.Entry) -> str:
    if entry.account.purpose == RECEIVABLE:
        return "You owe us" if entry.amount.is_negative else "You no longer owe us"
    return "Taken out of your wallet" if entry.amount.is_negative else "Back in your wallet"
