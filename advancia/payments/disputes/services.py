"""Disputes: what is disputed is withheld as long as it is open, and given back or taken when it is closed.

A database transaction has one posting at most, so what is due is done in steps; each is repeatable, and whatever order
events come in, the steps that the provider's present state asks for are taken, and no others.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from advancia import audit, ledger
from advancia.core.db import Session
from advancia.core.money import Money, asset
from advancia.payments import letters
from advancia.payments.crediting import book_fee
from advancia.payments.errors import NotYet
from advancia.payments.letters import Letter
from advancia.payments.models import Deposit, Dispute
from advancia.providers.stripe_objects import CardDispute

Step = Callable[[Session], str]


def steps(provider: str, told: CardDispute) -> list[Step]:
    """What brings our books to what the provider says of a dispute, each for a unit of work of its own."""
    return [
        lambda session: withhold(session, provider=provider, told=told),
        lambda session: resolve(session, told=told),
        lambda session: take_the_rest(session, told=told),
        lambda session: book_its_fee(session, told=told),
    ]


def withhold(session: Session, *, provider: str, told: CardDispute) -> str:
    """Note the dispute, and set the disputed money aside while it is open: all of it, or what there is.

    Raises `NotYet` when its payment has not been credited yet.
    """
    if told.amount is None or told.payment_intent is None:
        return "dispute of a currency that we do not keep"
    dispute, deposit = _noted(session, provider, told)
    if dispute.state != "open" or dispute.withheld is not None or deposit is None:
        return f"dispute {dispute.state}"
    there = ledger.balance(session, ledger.available(deposit.user_id), told.amount.asset)
    withheld = min(there, told.amount)
    dispute.withheld = Decimal(withheld.minor)
    session.flush()
    letters.send(session, deposit, Letter.DISPUTED, told.amount)
    if withheld:
        ledger.hold(
            session,
            reference=f"dispute:{dispute.id}:hold",
            kind="dispute",
            user_id=deposit.user_id,
            amount=withheld,
            meta={"provider": provider},
        )
    return f"dispute open: {withheld} withheld"


def resolve(session: Session, *, told: CardDispute) -> str:
    """Give back what was withheld once the dispute is won or dropped; take it once it is lost."""
    dispute = _locked(session, told)
    if dispute is None or dispute.closed_at is None or dispute.resolved:
        return ""
    dispute.resolved = True
    _tell_the_end(session, dispute)
    if not dispute.withheld:
        return f"dispute {dispute.state}"
    hold, finish = f"dispute:{dispute.id}:hold", f"dispute:{dispute.id}:finish"
    session.flush()
    if dispute.state == "lost":
        dispute.taken = dispute.withheld
        session.flush()
        ledger.capture(
            session, hold_reference=hold, reference=finish, destination=ledger.clearing(dispute.provider),
            kind="dispute_lost", meta={"provider": dispute.provider},
        )  # fmt: skip
        return f"dispute lost: {_money(dispute, dispute.withheld)} taken"
    ledger.release(
        session,
        hold_reference=hold,
        reference=finish,
        kind="dispute_won",
        meta={"provider": dispute.provider},
    )
    return f"dispute {dispute.state}: {_money(dispute, dispute.withheld)} given back"


def take_the_rest(session: Session, *, told: CardDispute) -> str:
    """Of a lost dispute, what had been spent before it could be withheld: from what there is now, else as a debt."""
    dispute = _locked(session, told)
    if dispute is None or dispute.state != "lost" or not dispute.resolved or dispute.deposit_id is None:
        return ""
    missing = Money(int(dispute.amount - (dispute.taken or 0)), asset(dispute.asset))
    if not missing:
        return ""
    deposit = session.get_one(Deposit, dispute.deposit_id)
    dispute.taken = dispute.amount
    session.flush()
    there = min(ledger.balance(session, ledger.available(deposit.user_id), missing.asset), missing)
    shares = (
        (ledger.available(deposit.user_id), there),
        (ledger.receivable(deposit.user_id), missing - there),
    )
    ledger.post(
        session,
        reference=f"dispute:{dispute.id}:rest",
        kind="dispute_lost",
        postings=[
            ledger.Posting(source, ledger.clearing(dispute.provider), amount) for source, amount in shares if amount
        ],
        meta={"provider": dispute.provider},
    )  # fmt: skip
    return f"{missing - there} became a debt" if missing - there else ""


def book_its_fee(session: Session, *, told: CardDispute) -> str:
    """What the provider has charged for the dispute, once it is closed."""
    dispute = _locked(session, told)
    if dispute is None or dispute.closed_at is None or dispute.fee_booked is not None or told.fee is None:
        return ""
    dispute.fee_booked = Decimal(told.fee.minor)
    session.flush()
    book_fee(session, reference=f"dispute:{dispute.id}:fee", provider=dispute.provider, fee=told.fee)
    return f"fee of {told.fee} booked"


def _tell_the_end(session: Session, dispute: Dispute) -> None:
    if dispute.deposit_id is not None and dispute.state in ("won", "lost"):
        letter = Letter.DISPUTE_WON if dispute.state == "won" else Letter.DISPUTE_LOST
        deposit = session.get_one(Deposit, dispute.deposit_id)
        letters.send(session, deposit, letter, _money(dispute, dispute.amount))


def _noted(session: Session, provider: str, told: CardDispute) -> tuple[Dispute, Deposit | None]:
    """The dispute's row at the provider's present state, and its deposit, both locked."""
    deposit = session.scalars(
        select(Deposit)
        .where(Deposit.provider == provider, Deposit.payment_id == told.payment_intent)
        .with_for_update()
    ).first()
    if deposit is not None and deposit.state not in ("paid", "locked"):
        raise NotYet(f"Dispute {told.id} is of a payment that has not been credited.")
    amount = told.amount or Money(0, asset("USD"))
    session.execute(
        insert(Dispute)
        .values(
            id=told.id,
            provider=provider,
            deposit_id=deposit.id if deposit is not None and deposit.state == "paid" else None,
            payment_id=told.payment_intent,
            asset=amount.asset.code,
            amount=Decimal(amount.minor),
            reason=told.reason,
            state="inquiry",
        )
        .on_conflict_do_nothing(index_elements=[Dispute.id])
    )
    dispute = session.scalars(
        select(Dispute)
        .where(Dispute.id == told.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    _bring_to(session, dispute, told)
    return dispute, deposit if dispute.deposit_id is not None else None


def _bring_to(session: Session, dispute: Dispute, told: CardDispute) -> None:
    if dispute.closed_at is not None:
        return
    state = _state_of(told)
    if state != dispute.state:
        audit.record_of_system(session, action=f"dispute.{state}", kind="dispute", id=dispute.id)
    dispute.state = state
    dispute.due_by = told.due_by
    if told.is_closed:
        dispute.closed_at = func.now()
    session.flush()


def _state_of(told: CardDispute) -> str:
    if told.is_closed:
        return "won" if told.is_won else "lost" if told.is_lost else "dropped"
    return "inquiry" if told.is_inquiry else "open"


def _locked(session: Session, told: CardDispute) -> Dispute | None:
    return session.get(Dispute, told.id, with_for_update=True, populate_existing=True)


def _money(dispute: Dispute, amount: Decimal) -> Money:
    return Money(int(amount), asset(dispute.asset))
