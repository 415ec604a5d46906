"""What customers owe the house: the negative balances of their `receivable`."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from advancia.core import money
from advancia.core.money import Asset, Money

OWED_BY = text("""
    select asset, -balance as owed from ledger.account
    where holder = :holder and purpose = 'receivable' and balance < 0
    order by asset
""")


def owed_by(session: Session, user_id: int) -> dict[Asset, Money]:
    """What the customer owes, above zero, by asset; empty when it is nothing."""
    rows = session.execute(OWED_BY, {"holder": user_id})
    debts = [Money(int(row.owed), money.asset(row.asset)) for row in rows]
    return {debt.asset: debt for debt in debts}
