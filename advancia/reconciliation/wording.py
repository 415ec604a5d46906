"""Differences with a provider in a sentence each."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from advancia.core.money import ASSETS, Money, asset

# What each sort of thing is called.
THINGS = {
    "payment": "payment", "refund": "refund", "refund_failed": "failed refund", "dispute": "dispute",
    "dispute_won": "won dispute", "payout": "payout", "payout_failed": "failed payout", "fee": "fee", "other": "change",
}  # fmt: skip
BOTH = {
    "currency": "A {thing} is of {here} here, and of {there} at {at}.",
    "duplicate": "A {thing} is {our_n} times in our books, and {their_n} times at {at}.",
    "fee": "The fee of a {thing} of {amount} is {our_fee} here, and {their_fee} at {at}.",
    "timing": "A {thing} is {here} here, and {there} at {at}; one of both has only just become known.",
    "amount": "A {thing} is {here} here, and {there} at {at}.",
}
HERE_ALONE = {
    "timing": "A {thing} of {here} in our books is under way to {at}.",
    "missing_there": "A {thing} of {here} in our books is not known to {at}.",
}
THERE_ALONE = {
    "timing": "A {thing} of {there} at {at} is under way to our books.",
    "missing_here": "A {thing} of {there} at {at} is not in our books.",
    "currency": "A {thing} came to {at} in a currency that the books do not keep: {there}.",
    "duplicate": "A {thing} of {there} at {at} is for a deposit that another payment has paid.",
    "state": "A {thing} of {there} has come to {at}, and its deposit is called {deposit} here.",
}
LATE = "A {thing} of {there} at {at} has been under way to our books for {age}."
ROLLED_BACK = "A {thing} was rolled back here, and stands at {at} with {there}."
NOTHING_THERE = "A {thing} of {here} is booked here, and {at} says that nothing came of it: {state}."
NOTHING_HERE = "A {thing} of {there} stands at {at}, and comes to nothing here."

# What is under way for longer is told with its age. Only payouts may take that long.
SOON = timedelta(days=1)

BALANCE = "At {at} lies {there}. By our books, and with all that is known to differ, it should be {here}."


def of_difference(row: Row[Any], *, at: str, now: datetime) -> str:
    """A pair of `matching_sql` that differs, for staff; `at` is the provider in a sentence."""
    age = now - row.happened_at
    return _form(row, is_late=age >= SOON).format(
        age=_days(age),
        thing=THINGS[row.what],
        at=at,
        here=_told(row.our_asset, row.our_amount, row.our_fee),
        there=_told(row.their_asset, row.their_amount, row.their_fee),
        amount=money(row.our_asset, row.our_amount),
        our_fee=money(row.our_asset, row.our_fee),
        their_fee=money(row.their_asset, row.their_fee),
        our_n=row.our_n,
        their_n=row.their_n,
        deposit=row.deposit_state,
        state=row.their_state,
    )


def money(code: str | None, minor: Any) -> str:
    """An amount, also of what the books do not keep."""
    if code is None or minor is None:
        return "nothing"
    if code not in ASSETS:
        return f"{int(minor):,} of the smallest unit of {code}"
    return str(Money(int(minor), asset(code)))


def _form(row: Row[Any], *, is_late: bool) -> str:
    if not row.is_here and row.kind == "timing" and is_late:
        return LATE
    if not row.is_here:
        return THERE_ALONE[row.kind]
    if not row.is_there:
        return HERE_ALONE[row.kind]
    if row.kind != "state":
        return BOTH[row.kind]
    if row.is_rolled_back:
        return ROLLED_BACK
    return NOTHING_THERE if row.our_amount else NOTHING_HERE


def _days(age: timedelta) -> str:
    return "1 day" if age.days == 1 else f"{age.days:,} days"


def _told(code: str | None, amount: Any, fee: Any) -> str:
    return money(code, amount) + (f", with a fee of {money(code, fee)}" if amount is not None and fee else "")
