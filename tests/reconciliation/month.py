"""A month of trade on both sides at once, and differences planted in it: made by bulk, since it is to be read by page.

Ours is what the product would have booked, row by row and posting by posting; theirs is what the simulated providers
would have remembered. Whatever is planted is done to one of both.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import insert, text

from advancia import ledger
from advancia.core.clock import utcnow
from advancia.core.db import unit_of_work
from advancia.core.money import Money, asset
from advancia.ledger import BatchItem, Posting, available, clearing, house, post_many
from advancia.payments.models import Deposit, Dispute, Refund, StrayPayment
from advancia.providers.sandbox.server import SandboxServer
from tests.reconciliation.house import CARD, CRYPTO, House

LENGTH = timedelta(days=29)
AT_ONCE = 4000
DISPUTE_FEE = 15_00
# Of each thousand movements, so many of these; the rest are payments by card.
SHARES = {"coins": 120, "refund": 80, "bounced": 12, "won": 5, "lost": 6, "open": 3, "stray": 8, "payout": 1}


@dataclass
class Line:
    """One movement. `here` and `there` say how often each side has it, `their` what is otherwise over there."""

    what: str
    id: UUID
    user_id: int
    at: datetime
    amount: int
    fee: int = 0
    of: Line | None = None
    here: int = 1
    there: int = 1
    their: dict[str, Any] = field(default_factory=dict)
    stray_id: int = 0
    state: str = "paid"

    @property
    def ref(self) -> str:
        """The provider's name for it."""
        prefix = {"payment": "pi", "stray": "pi", "refund": "re", "bounced": "re", "payout": "po"}.get(
            self.what, "du"
        )
        return str(self.id) if self.what == "coins" else f"{prefix}_{self.id.hex}"

    @property
    def money(self) -> Money:
        return Money(self.amount, asset("BTC" if self.what == "coins" else "USD"))


class Month:
    """Movements drawn by chance; `plant` before it is written down on both sides."""

    def __init__(self, house: House, chance: random.Random, *, movements: int) -> None:
        self._house, self._chance = house, chance
        self._people = [house.person() for _ in range(20)]
        self._begins = utcnow() - LENGTH - timedelta(hours=12)
        self.planted: dict[str, tuple[str, str]] = {}
        counts = {what: max(6, movements * share // 1000) for what, share in SHARES.items()}
        payments = [self._line("payment") for _ in range(movements - sum(counts.values()))]
        self._unused = iter(chance.sample(payments, len(payments)))
        self.lines = payments + [
            self._line(what, of=next(self._unused) if what in FOLLOWS else None)
            for what, count in counts.items()
            for _ in range(count)
        ]

    def plain(self, what: str) -> Line:
        """A movement that nothing else has to do with."""
        if what == "payment":
            return next(self._unused)
        used = {name for name, _ in self.planted.values()}
        return next(each for each in self.lines if each.what == what and each.ref not in used)

    def plant(self, what: str, kind: str, how: Callable[[Line], object]) -> None:
        line = self.plain(what)
        how(line)
        self.planted[f"{what} {kind} {line.ref}"] = (line.ref, kind)

    def write(self, server: SandboxServer) -> None:
        """Both sides."""
        _write_rows(self.lines)
        for items in _by(_items(self.lines), AT_ONCE):
            with unit_of_work() as session:
                post_many(session, items, atomic=True)
        server.remember(_remembered(self.lines))

    def _line(self, what: str, of: Line | None = None) -> Line:
        chance = self._chance
        at = (
            self._begins + LENGTH * chance.random()
            if of is None
            else of.at + timedelta(minutes=chance.randint(5, 300))
        )
        amount = (
            chance.randint(50_00, 500_00) if of is None else of.amount if what in DISPUTES else of.amount // 3
        )
        if what == "payout":
            amount = chance.randint(1_00, 20_00)
        fee = {
            "payment": amount * 29 // 1000 + 30,
            "stray": amount * 29 // 1000 + 30,
            "coins": amount // 100,
        }.get(what, 0)
        user_id = of.user_id if of is not None else chance.choice(self._people)
        return Line(what, UUID(int=chance.getrandbits(128), version=4), user_id, at, amount, fee, of)


DISPUTES = ("won", "lost", "open")
FOLLOWS = ("refund", "bounced", *DISPUTES)


def _by(things: Iterable[Any], size: int) -> Iterator[list[Any]]:
    things = iter(things)
    while some := list(islice(things, size)):
        yield some


def _write_rows(lines: list[Line]) -> None:
    rows: dict[Any, list[dict[str, Any]]] = {Deposit: [], Refund: [], Dispute: [], StrayPayment: []}
    for line in lines:
        if line.here and line.what != "payout":
            model = {
                "payment": Deposit,
                "coins": Deposit,
                "stray": StrayPayment,
                "refund": Refund,
                "bounced": Refund,
            }
            rows[model.get(line.what, Dispute)].append(_row(line))
    with unit_of_work() as session:
        for model, some in rows.items():
            for part in _by(some, AT_ONCE):
                session.execute(insert(model), part)
        ids = session.execute(text("select payment_id, id from stray_payment")).all()
    known = {row.payment_id: row.id for row in ids}
    for line in lines:
        line.stray_id = known.get(line.ref, 0)


def _row(line: Line) -> dict[str, Any]:
    coins = line.what == "coins"
    provider, code = (CRYPTO, "BTC") if coins else (CARD, "USD")
    about = {"provider": provider, "asset": code, "amount": line.amount}
    if line.what in ("payment", "coins"):
        return about | {
            "id": line.id, "user_id": line.user_id, "request_id": line.id, "state": "paid", "credited": line.amount,
            "checkout_id": line.ref if coins else f"cs_{line.id.hex}", "payment_id": line.ref, "created_at": line.at,
            "expires_at": line.at, "paid_at": line.at,
        }  # fmt: skip
    if line.what == "stray":
        return about | {
            "payment_id": line.ref,
            "words": "",
            "reason": "It fits nothing.",
            "noted_at": line.at,
        }
    assert line.of is not None
    if line.what in ("refund", "bounced"):
        return about | {
            "id": line.id, "deposit_id": line.of.id, "provider_refund_id": line.ref, "created_at": line.at,
            "settled_at": line.at, "state": "failed" if line.what == "bounced" else "succeeded",
        }  # fmt: skip
    is_open = line.what == "open"
    return about | {
        "id": line.ref, "deposit_id": line.of.id, "payment_id": line.of.ref, "reason": "fraudulent", "state": line.what,
        "withheld": 0, "resolved": not is_open, "taken": line.amount if line.what == "lost" else None,
        "fee_booked": None if is_open else DISPUTE_FEE, "opened_at": line.at, "closed_at": None if is_open else line.at,
    }  # fmt: skip


def _items(lines: list[Line]) -> Iterator[BatchItem]:
    """The postings, those that bring money first."""
    for line in sorted(lines, key=lambda each: each.what not in ("payment", "coins", "stray")):
        for reference, kind, postings in _postings(line) if line.here else ():
            yield BatchItem(reference, kind, postings, effective_at=line.at)


def _postings(line: Line) -> Iterator[tuple[str, str, list[Posting]]]:
    at, mine, money = clearing(CARD), available(line.user_id), line.money
    match line.what:
        case "payment":
            yield f"deposit:{line.id}", "deposit", [Posting(at, mine, money), *_fee(CARD, line.fee)]
        case "coins":
            fee = [Posting(house("fees"), clearing(CRYPTO), Money(line.fee, asset("BTC")))]
            yield f"deposit:{line.id}", "deposit", [Posting(clearing(CRYPTO), mine, money), *fee]
        case "stray":
            yield (
                f"stray:{line.stray_id}",
                "stray",
                [Posting(at, house("suspense"), money), *_fee(CARD, line.fee)],
            )
        case "refund" | "bounced":
            yield f"refund:{line.id}", "refund", [Posting(mine, at, money)]
            if line.what == "bounced":
                yield f"refund:{line.id}:undone", "refund_undone", [Posting(at, mine, money)]
        case "payout":
            yield f"payout:{line.ref}", "payout", [Posting(house("bank"), at, money)]
        case "lost" | "won":
            if line.what == "lost":
                yield f"dispute:{line.ref}:rest", "dispute_lost", [Posting(mine, at, money)]
            yield f"dispute:{line.ref}:fee", "fee", _fee(CARD, DISPUTE_FEE)


def _fee(provider: str, fee: int) -> list[Posting]:
    return [Posting(house("fees"), clearing(provider), Money(fee, asset("USD")))]


def _remembered(lines: list[Line]) -> Iterator[dict[str, Any]]:
    """What the providers have of it."""
    for line in lines:
        if line.there and line.what == "coins":
            yield _invoice(line)
        elif line.there:
            yield from _things(line)


def _invoice(line: Line) -> dict[str, Any]:
    return {
        "id": line.ref, "kind": "invoice", "uuid": line.ref, "order_id": str(line.id), "created": _second(line.at),
        "changed": _second(line.at), "amount": line.money.plain, "payment_amount": line.money.plain,
        "commission": Money(line.fee, asset("BTC")).plain, "currency": "BTC", "payer_currency": "BTC", "network": "btc",
        "address": None, "txid": None, "payment_status": "paid", "url": None, "is_final": True,
    } | line.their  # fmt: skip


def _things(line: Line) -> Iterator[dict[str, Any]]:
    if line.what in ("payment", "stray"):
        charge = f"ch_{line.id.hex}"
        yield {
            "id": line.ref,
            "object": "payment_intent",
            "latest_charge": charge,
            "created": _second(line.at),
        }
        yield {
            "id": charge, "object": "charge", "payment_intent": line.ref, "status": "succeeded",
            "metadata": {"deposit_id": str(line.id)} if line.what == "payment" else {}, "created": _second(line.at),
        }  # fmt: skip
        yield from _moved(line, charge, "charge", line.amount, fee=line.fee)
        return
    sort = {"refund": "refund", "bounced": "refund", "payout": "payout"}.get(line.what, "dispute")
    yield {"id": line.ref, "object": sort, "status": "succeeded", "created": _second(line.at)}
    if sort != "dispute":
        yield from _moved(line, line.ref, sort, -line.amount)
        if line.what == "bounced":
            yield from _moved(line, line.ref, "refund_failure", line.amount, name="b")
        return
    yield from _moved(line, line.ref, "adjustment", -line.amount, fee=DISPUTE_FEE)
    if line.what == "won":
        yield from _moved(line, line.ref, "adjustment", line.amount, name="b")


def _moved(
    line: Line, source: str, kind: str, amount: int, *, fee: int = 0, name: str = "a"
) -> Iterator[dict[str, Any]]:
    for number in range(line.there):
        told = {
            "id": f"txn_{line.id.hex}{name}{number}", "object": "balance_transaction", "amount": amount, "fee": fee,
            "created": _second(line.at), "available_on": _second(line.at), "currency": "usd", "source": source,
            "type": kind,
        } | (line.their if name == "a" else {})  # fmt: skip
        yield told | {"net": told["amount"] - told["fee"]}


def _second(moment: datetime) -> int:
    return int(moment.timestamp())


def plant_outside(month: Month) -> None:
    """One of each way in which two sides can differ."""

    def has(**their: Any) -> Callable[[Line], object]:
        return lambda line: line.their.update(their)

    def lacks(side: str) -> Callable[[Line], object]:
        return lambda line: setattr(line, side, 0)

    for what in ("payment", "coins", "refund", "stray", "payout", "lost"):
        month.plant(what, "missing_here", lacks("here"))
    for what in ("payment", "coins", "refund", "stray", "payout", "lost"):
        month.plant(what, "missing_there", lacks("there"))
    month.plant("payment", "amount", has(amount=40_00))
    month.plant("coins", "amount", has(payment_amount="0.00000100"))
    month.plant("refund", "amount", has(amount=-1))
    month.plant("payout", "amount", has(amount=-2))
    month.plant("lost", "amount", has(amount=-3))
    month.plant("payment", "fee", has(fee=4_56))
    month.plant("coins", "fee", has(commission="0.00000003"))
    month.plant("lost", "fee", has(fee=16_00))
    month.plant("payment", "currency", has(currency="eur"))
    month.plant("coins", "currency", has(payer_currency="ETH"))
    month.plant("payment", "duplicate", lambda line: setattr(line, "there", 2))
    month.plant("refund", "duplicate", lambda line: setattr(line, "there", 2))
    month.plant("coins", "state", has(payment_status="cancel"))


def plant_inside(month: Month) -> set[tuple[str, str, str]]:
    """Some of the ways in which our books can differ from themselves, done to rows that are written: what is found."""
    credited, called_failed, fee = month.plain("payment"), month.plain("payment"), month.plain("won")
    changes = (
        ("update deposit set credited = credited + 1 where id = :it", credited.id),
        (
            "update deposit set state = 'failed', paid_at = null, credited = null where id = :it",
            called_failed.id,
        ),
        ("update dispute set fee_booked = 1 where id = :it", fee.ref),
    )
    with unit_of_work() as session:
        for statement, it in changes:
            session.execute(text(statement), {"it": it})
    by_hand = Posting(clearing(CARD), house("treasury"), Money(1, asset("USD")))
    with unit_of_work() as session:
        ledger.post(session, reference="by:hand", kind="manual", postings=[by_hand])
    return {
        ("deposits", "amount", f"deposit:{credited.id}"),
        ("deposits", "state", f"deposit:{called_failed.id}"),
        ("disputes", "fee", f"dispute:{fee.ref}"),
        ("clearing", "missing_there", "by:hand"),
    }
