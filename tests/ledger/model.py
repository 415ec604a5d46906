"""What the ledger should do, in a page of Python: a model to hold the database against."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from advancia import ledger
from advancia.ledger import (
    AccountKey,
    AlreadyRefunded,
    AlreadyResolved,
    AlreadyReversed,
    CaptureTooLarge,
    InsufficientFunds,
    MalformedPosting,
    NoSuchTransaction,
    NotRefundable,
    NotReversible,
    Posting,
    ReferenceConflict,
    RefundTooLarge,
)

GUARDED = ("available", "held")

Account = tuple[int, str, str]  # holder, asset, purpose
Legs = dict[Account, int]


@dataclass(frozen=True)
class Stored:
    """A transaction of the model. `content` is what a repeat must have in common with it."""

    txn_id: int
    legs: Legs
    content: tuple[Any, ...]

    @property
    def link(self) -> str:
        return str(self.content[0])

    @property
    def of(self) -> str:
        return str(self.content[1])


class Refused(Exception):
    """What the model expects the ledger to raise."""

    def __init__(self, as_: type[Exception]) -> None:
        self.as_ = as_


class Model:
    """Balances, transactions and histories; what a call comes to, or raises."""

    users: list[int]
    balances: dict[Account, int]
    history: dict[tuple[int, str], list[tuple[int, int]]]
    posted: dict[str, Stored]

    def expected(self, reference: str, content: tuple, legs_of: Callable[[], Legs], *, debt: bool) -> Legs:
        wants = content[1] if content[0] in ("resolve", "reverse", "refund") else None
        if wants is not None and (
            wants not in self.posted or (content[0] == "resolve" and self.posted[wants].link != "hold")
        ):
            raise Refused(NoSuchTransaction)
        if content[0] == "resolve":
            self.whole(content)
        if reference in self.posted:
            if not self.is_repeat(self.posted[reference], content):
                raise Refused(ReferenceConflict)
            return self.posted[reference].legs
        return self.covered(legs_of(), debt=debt)

    def is_repeat(self, stored: Stored, content: tuple) -> bool:
        if content[0] == "resolve":  # however it is spelled, what counts is what moves
            return stored.content[:2] == content[:2] and stored.legs == self.ended(
                content[1], dict(content[3])
            )
        return stored.content == content

    def covered(self, legs: Legs, *, debt: bool) -> Legs:
        """The legs with what is short taken from the receivable, if a debt is allowed."""
        covered: Legs = defaultdict(int)
        for account, change in sorted(legs.items()):
            holder, code, purpose = account
            short = max(-(self.balances[account] + change), 0) if purpose in GUARDED and change < 0 else 0
            if short and not debt:
                raise Refused(InsufficientFunds)
            covered[holder, code, "receivable"] -= short
            covered[account] += change + short
        return {account: change for account, change in covered.items() if change}

    def whole(self, content: tuple) -> None:
        held, _, _ = self.holding(content[1])
        known = sum(amount for _, amount in content[3] if amount is not None)
        if known > held or (known == held and any(amount is None for _, amount in content[3])):
            raise Refused(CaptureTooLarge)

    def ended(self, of: str, shares: dict[AccountKey, int | None]) -> Legs:
        held, user_id, code = self.holding(of)
        left = held - sum(amount for amount in shares.values() if amount is not None)
        legs: Legs = defaultdict(int)
        legs[user_id, code, "held"] = -held
        for key, amount in shares.items():
            legs[key.holder, code, key.purpose] += left if amount is None else amount
        if None not in shares.values():
            legs[user_id, code, "available"] += left
        return {account: change for account, change in legs.items() if change}

    def resolved(self, of: str, shares: dict[AccountKey, int | None]) -> Legs:
        if self.linked("resolve", of):
            raise Refused(AlreadyResolved)
        return self.ended(of, shares)

    def mirrored(self, of: str) -> Legs:
        if self.linked("reverse", of):
            raise Refused(AlreadyReversed)
        if self.refunds_of(of):
            raise Refused(AlreadyRefunded)
        legs = {account: -change for account, change in self.in_all(of).items()}
        if self.posted[of].link in ("hold", "reverse") or not legs:
            raise Refused(NotReversible)
        return legs

    def refunded(self, of: str, code: str, amount: int, to: AccountKey | None, *, chosen: bool) -> Legs:
        legs = self.in_all(of)
        payees = {holder for (holder, _, _), change in legs.items() if change > 0 and holder != ledger.HOUSE}
        payers = sum(change < 0 for change in legs.values())
        one_asset = len({each for _, each, _ in legs}) == 1
        if self.posted[of].link in ("hold", "reverse", "refund") or not (
            one_asset and len(payees) == 1 and (chosen or payers == 1)
        ):
            raise Refused(NotRefundable)
        (payee,) = payees
        assert to is not None
        if to.holder == payee:
            raise Refused(MalformedPosting)
        if self.linked("reverse", of):
            raise Refused(AlreadyReversed)
        got = sum(change for (holder, _, _), change in legs.items() if holder == payee and change > 0)
        if amount > got - sum(each.content[3] for each in self.refunds_of(of)):
            raise Refused(RefundTooLarge)
        return {(payee, code, "available"): -amount, (to.holder, code, to.purpose): amount}

    # What the model looks up

    @property
    def has_hold(self) -> bool:
        return any(stored.link == "hold" for stored in self.posted.values())

    def key(self, place: tuple[int, str]) -> AccountKey:
        number, purpose = place
        return AccountKey(ledger.HOUSE if number == 3 else self.users[number], purpose)

    def earlier(self, back: int, link: str | None = None) -> str:
        found = [each for each, stored in self.posted.items() if link in (None, stored.link)]
        return found[-1 - back % len(found)] if found and back < 15 else "never"

    def linked(self, link: str, of: str) -> list[Stored]:
        return [stored for stored in self.posted.values() if stored.link == link and stored.of == of]

    def refunds_of(self, of: str) -> list[Stored]:
        return [
            stored
            for reference, stored in self.posted.items()
            if stored.link == "refund" and stored.of == of and not self.linked("reverse", reference)
        ]

    def holding(self, of: str) -> tuple[int, int, str]:
        if of not in self.posted:
            return 0, 0, "USD"
        ((user_id, code, _), amount) = next(leg for leg in self.posted[of].legs.items() if leg[1] > 0)
        return amount, user_id, code

    def in_all(self, of: str) -> Legs:
        """What it came to, a capture or release seen together with its hold."""
        legs: Legs = defaultdict(int)
        for (holder, code, purpose), change in self.posted[of].legs.items():
            from_available = purpose == "held" and self.posted[of].link == "resolve"
            legs[holder, code, "available" if from_available else purpose] += change
        return {account: change for account, change in legs.items() if change}

    def payer(self, of: str) -> AccountKey | None:
        if of not in self.posted:
            return None
        paid = [account for account, change in self.in_all(of).items() if change < 0]
        return AccountKey(paid[0][0], paid[0][2]) if len(paid) == 1 else None

    def keep(self, reference: str, stored: Stored) -> None:
        self.posted[reference] = stored
        for account, change in stored.legs.items():
            self.balances[account] += change
            if account[2] == "available":
                self.history[account[0], account[1]].insert(0, (change, self.balances[account]))


def net(postings: list[Posting]) -> Legs:
    legs: Legs = defaultdict(int)
    for posting in postings:
        for (holder, purpose), change in (
            (posting.source, -posting.amount.minor),
            (posting.destination, posting.amount.minor),
        ):
            legs[holder, posting.amount.asset.code, purpose] += change
    return {leg: change for leg, change in legs.items() if change}
