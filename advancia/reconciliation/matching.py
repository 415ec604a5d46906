"""What two sides do not agree in: each thing is compared by its amount, its fee and its currency, both ways.

All of it is done by the database, whose memory does not grow with what is compared; here it is only put into words.
Amounts of a difference are nets, that is what the clearing account should have moved by, and has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from advancia.core.db import Session
from advancia.core.money import ASSETS
from advancia.payments import offers
from advancia.reconciliation import matching_sql as sql
from advancia.reconciliation import wording
from advancia.reconciliation.found import BALANCE, CHECKS, Found, Kind, Side, Tally

AT_ONCE = 500
PAYMENTS = CHECKS["payment"]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The two sides of a run. `balance` and `clearing` are what lies there by either side, where that is told.

    `not_compared` has the checks that were not made, and why.
    """

    run_id: int
    provider: str
    words: str
    begins: datetime
    ends: datetime
    young_from: datetime
    now: datetime
    balance: dict[str, int] | None = None
    clearing: dict[str, int] | None = None
    not_compared: Mapping[str, str] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, Any]:
        return {
            "run_id": self.run_id,
            "provider": self.provider,
            "begins": self.begins,
            "ends": self.ends,
            "young_from": self.young_from,
        }


def differences(session: Session, pair: Pair) -> Iterator[Found]:
    """Everything in the window that is not the same on both sides, row by row, and then the balance."""
    statement = sql.DIFFERENCES.execution_options(yield_per=AT_ONCE)
    for row in session.execute(statement, pair.values | {"kept": [*ASSETS]}):
        yield _found(pair, row)
    yield from _balance(session, pair)


def tallies(session: Session, pair: Pair) -> Iterator[Tally]:
    """How much of each sort was compared. The first says so if one side is empty, where the other is not."""
    rows = session.execute(sql.COUNTS, pair.values | {"kept": [*ASSETS]}).all()
    alarm = _alarm(pair, here=sum(each.here for each in rows), there=sum(each.there for each in rows))
    checks = {CHECKS[each.what] for each in rows} - pair.not_compared.keys()
    for check in sorted(checks | {PAYMENTS}, key=lambda name: name != PAYMENTS):
        counted = [each for each in rows if CHECKS[each.what] == check]
        young = sum(each.young for each in counted)
        yield _tally(
            pair,
            check,
            words=_named(pair, check) + (f" ({young:,} in flight)" if young else ""),
            compared=sum(each.compared for each in counted),
            differing=sum(each.differing for each in counted),
            in_flight=young,
            alarm=alarm if check == PAYMENTS else None,
        )
    if pair.balance is not None and pair.clearing is not None:
        compared = [code for code in pair.balance if code in ASSETS]
        yield _tally(pair, BALANCE, compared=len(compared), differing=len([*_balance(session, pair)]))
    for check, why in pair.not_compared.items():
        yield _tally(pair, check, remark=why)


def without_counterpart(session: Session, pair: Pair, *, limit: int) -> list[tuple[str, str]]:
    """What only we have, by sort and name, at most so many."""
    rows = session.execute(sql.WITHOUT_COUNTERPART, pair.values | {"limit": limit})
    return [(row.what, row.ref) for row in rows]


def clearing(session: Session, provider: str) -> dict[str, int]:
    """What lies at the provider by our books, by asset."""
    return {row.asset: int(row.net) for row in session.execute(sql.CLEARING, {"provider": provider})}


def _tally(pair: Pair, check: str, **told: Any) -> Tally:
    usual: dict[str, Any] = {"words": _named(pair, check), "compared": 0, "differing": 0}
    return Tally(side=Side.OUTSIDE, check=check, provider=pair.provider, **(usual | told))


def _named(pair: Pair, check: str) -> str:
    if check == BALANCE:
        return f"What lies at {pair.words} against our clearing account"
    if check == PAYMENTS and pair.provider in offers.CRYPTO:  # its invoices tell of both as one sum
        return f"Payments, less refunds, here and at {pair.words}"
    return f"{check.capitalize()} here and at {pair.words}"


def _balance(session: Session, pair: Pair) -> Iterator[Found]:
    """That the sums differ by more, or less, than the things which differ."""
    if pair.balance is None or pair.clearing is None:
        return
    explained = {row.asset: int(row.net) for row in session.execute(sql.EXPLAINED, pair.values)}
    for code in sorted({*pair.balance, *pair.clearing} & ASSETS.keys()):
        there, here = pair.balance.get(code, 0), pair.clearing.get(code, 0) + explained.get(code, 0)
        if there != here:
            yield Found(
                side=Side.OUTSIDE,
                check=BALANCE,
                kind=Kind.BALANCE,
                key=f"{pair.provider}:{BALANCE}:{code}",
                words=wording.BALANCE.format(
                    at=pair.words, there=wording.money(code, there), here=wording.money(code, here)
                ),
                provider=pair.provider,
                asset=code,
                our_amount=here,
                their_amount=there,
            )


def _alarm(pair: Pair, *, here: int, there: int) -> str | None:
    if here and not there:
        return f"{_capital(pair.words)} tells of nothing at all, and our books of {here:,} things. That proves nothing."
    if there and not here:
        return (
            f"Our books have nothing at {pair.words}, which tells of {there:,} things. That proves nothing."
        )
    return None


def _found(pair: Pair, row: Row[Any]) -> Found:
    return Found(
        side=Side.OUTSIDE,
        check=CHECKS[row.what],
        kind=Kind(row.kind),
        key=f"{pair.provider}:{row.what}:{row.ref}",
        words=wording.of_difference(row, at=pair.words, now=pair.now),
        provider=pair.provider,
        our_ref=row.reference,
        their_ref=row.ref,
        asset=row.our_asset or row.their_asset,
        our_amount=_net(row.our_amount, row.our_fee, row.is_fee_open),
        their_amount=_net(row.their_amount, row.their_fee, row.is_fee_open),
        happened_at=row.happened_at,
    )


def _net(amount: Any, fee: Any, is_fee_open: bool) -> int | None:
    if amount is None:
        return None
    return int(amount) if is_fee_open else int(amount - fee)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
