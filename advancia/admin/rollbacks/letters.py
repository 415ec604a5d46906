"""The mail to each customer whose money a rollback has moved."""

from __future__ import annotations

from collections.abc import Sequence

from advancia import ledger
from advancia.core import outbox
from advancia.core.db import Session
from advancia.core.jobs import Job
from advancia.identity import queries as identity
from advancia.ledger.accounts import AVAILABLE, HOUSE, RECEIVABLE

WHAT = {"deposit": "payment in", "transfer": "transfer", "opening": "opening balance", "refund": "refund"}


def tell_customers(session: Session, *, undone: ledger.Transaction, rollback_reference: str) -> None:
    """Mail each of them what came back or was taken, once the caller's unit of work is committed. Never why."""
    rollback = ledger.transaction(session, rollback_reference)
    if rollback is None:
        raise LookupError(f"There is no transaction {rollback_reference}.")
    holders = {entry.account.holder for entry in rollback.entries} - {HOUSE}
    people = identity.people(session, holders)
    for holder in sorted(holders):
        others = [people[each].name for each in sorted(holders - {holder}) if each in people]
        entries = [entry for entry in rollback.entries if entry.account.holder == holder]
        facts = {
            "what": WHAT.get(undone.kind, "transaction"),
            **_deed(undone, holder, others=others),
            "day": f"{undone.created_at:%-d %B %Y}",
            "lines": [list(line) for line in _lines(entries)],
        }
        if any(entry.account.purpose == AVAILABLE for entry in entries):  # then it stands in their history
            facts["reference"] = rollback_reference
        outbox.put(session, Job.SEND_EMAIL, template="rolled_back", user_id=holder, facts=facts)


def _deed(undone: ledger.Transaction, holder: int, *, others: Sequence[str]) -> dict[str, object]:
    """What was undone in that customer's words: whether it came to them, how much it was, and from or to whom."""
    what = WHAT.get(undone.kind, "transaction")
    moved = [
        entry.amount
        for entry in undone.entries
        if entry.account.holder == holder and entry.account.purpose == AVAILABLE
    ]
    of = f"{what} of {' and '.join(str(abs(each)) for each in moved)}" if moved else what
    who = " and ".join(others)
    came = bool(who and moved) and not any(each.is_negative for each in moved)
    if came:
        return {"came": True, "deed": f"the {of} to you from {who}"}
    return {"came": False, "deed": f"your {of} to {who}" if who else f"your {of}"}


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
