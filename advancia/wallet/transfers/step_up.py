"""How much is sent before whoever sends it proves anew that it is they who sit there: at once, or bit by bit."""

from __future__ import annotations

from datetime import datetime

from advancia import ledger
from advancia.core.db import Session
from advancia.core.large_amounts import is_large
from advancia.core.money import Asset, Money
from advancia.wallet.transfers.errors import ProofNeeded

MOST_LINES = 100  # of what was sent since; whoever sends more often is asked, whatever it comes to


def needs_proof(amount: Money) -> bool:
    """Whether sending so much takes a proof that is not older than five minutes."""
    return is_large(amount)


def sent_since(session: Session, *, user_id: int, of_asset: Asset, since: datetime) -> Money | None:
    """What the customer has sent of that asset from `since` on; `None`, if it was too often to be added up here."""
    entries = ledger.entries_of(
        session,
        user_id,
        assets=[of_asset.code],
        kinds=["transfer"],
        direction="out",
        since=since,
        limit=MOST_LINES + 1,
    )
    if len(entries) > MOST_LINES:
        return None
    return -sum((entry.amount for entry in entries), Money.zero(of_asset))


def refuse_without_proof(session: Session, *, user_id: int, of_asset: Asset, since: datetime) -> None:
    """Raise `ProofNeeded` if too much was sent since the last proof was fresh; call it once the transfer is posted.

    Those who send at once take turns at their balance, so that each sees here what those before it have sent.
    """
    total = sent_since(session, user_id=user_id, of_asset=of_asset, since=since)
    if total is None or needs_proof(total):
        raise ProofNeeded
