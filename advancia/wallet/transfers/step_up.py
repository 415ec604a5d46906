"""How much is sent before whoever sends it proves anew that it is they who sit there: at once, or bit by bit."""

from __future__ import annotations

from datetime import datetime

from advancia import ledger
from advancia.core.db import Session
from advancia.core.money import Asset, Money
from advancia.wallet.transfers.errors import ProofNeeded

MOST_LINES = 100  # of what was sent since; whoever sends more often is asked, whatever it comes to

# There are no rates yet by which amounts of other assets could be told in dollars, so each has a figure of its own: of
# about a thousand dollars for what is worth a dollar or is pegged to one, and on the careful side for what moves.
LARGEST_WITHOUT = {
    each.asset.code: each
    for each in (
        Money.of("1000.00", "USD"),
        Money.of("1000.000000", "USDT"),
        Money.of("10000.00", "ADV"),
        Money.of("0.01000000", "BTC"),
        Money.of("0.25", "ETH"),
    )
}


def needs_proof(amount: Money) -> bool:
    """Whether sending so much takes a proof that is not older than five minutes."""
    return amount > LARGEST_WITHOUT[amount.asset.code]


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
