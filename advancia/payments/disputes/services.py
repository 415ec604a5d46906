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
from advancia.payments import letters, whereabouts
from advancia.payments.crediting import book_fee
from advancia.payments.letters import Letter
from advancia.payments.models import Deposit, Dispute
from advancia.payments.strays import services as strays
from advancia.payments.whereabouts import Place, Where
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

    In suspense it stays where it is, and cannot be decided about. What was rolled back before is the house's.
    """
    if told.amount is None or told.payment_intent is None:
        return "dispute of a currency that we do not keep"
    place = whereabouts.of_payment(session, provider=provider, payment_id=told.payment_intent)
    dispute = _noted(session, provider, told, place)
    if dispute.state != "open" or dispute.withheld is not None or place is None:
        return f"dispute {dispute.state}"
    if place.user_id is None or place.where is not Where.CUSTOMER:
        return _leave_there(session, dispute, place)
    there = ledger.balance(session, ledger.available(place.user_id), told.amount.asset)
    withheld = min(there, told.amount)
    dispute.withheld = Decimal(withheld.minor)
    session.flush()
    _tell(session, dispute, Letter.DISPUTED)
    if withheld:
        ledger.hold(
            session,
            reference=f"dispute:{dispute.id}:hold",
            kind="dispute",
            user_id=place.user_id,
            amount=withheld,
            meta={"provider": provider},
        )
    return f"dispute open: {withheld} withheld"


def _leave_there(session: Session, dispute: Dispute, place: Place) -> str:
    """Nothing is a customer's that could be withheld."""
    dispute.withheld = Decimal()
    session.flush()
    if place.where is Where.SUSPENSE:
        _tell(session, dispute, Letter.DISPUTED)
        return "dispute open: the payment stays in suspense"
    return _left_to_house(session, dispute)


def resolve(session: Session, *, told: CardDispute) -> str:
    """Give back what was withheld once the dispute is won or dropped; take it, from where it lies, once it is lost."""
    found = _found(session, told)
    if found is None or found[0].closed_at is None or found[0].resolved:
        return ""
    dispute, place = found
    dispute.resolved = True
    is_house = place is not None and place.where is Where.HOUSE
    if not is_house and dispute.state in ("won", "lost"):
        _tell(session, dispute, Letter.DISPUTE_WON if dispute.state == "won" else Letter.DISPUTE_LOST)
    if dispute.state == "lost" and place is not None and (is_house or place.is_on_suspense):
        return _take_from_house(session, dispute, place)
    if not dispute.withheld:
        return f"dispute {dispute.state}"
    return _end_hold(session, dispute)


def _end_hold(session: Session, dispute: Dispute) -> str:
    hold, finish = f"dispute:{dispute.id}:hold", f"dispute:{dispute.id}:finish"
    withheld = _money(dispute, dispute.withheld or Decimal())
    if dispute.state == "lost":
        dispute.taken = dispute.withheld
        session.flush()
        ledger.capture(
            session, hold_reference=hold, reference=finish, destination=ledger.clearing(dispute.provider),
            kind="dispute_lost", meta={"provider": dispute.provider},
        )  # fmt: skip
        return f"dispute lost: {withheld} taken"
    session.flush()
    ledger.release(
        session,
        hold_reference=hold,
        reference=finish,
        kind="dispute_won",
        meta={"provider": dispute.provider},
    )
    return f"dispute {dispute.state}: {withheld} given back"


def _take_from_house(session: Session, dispute: Dispute, place: Place) -> str:
    """A lost dispute that no customer pays: of a payment in suspense, or of one that was rolled back.

    The rollback had taken the money from the customer already, so what was withheld besides is theirs again.
    """
    dispute.taken = dispute.amount
    amount = _money(dispute, dispute.amount)
    words = f"dispute lost: {amount} taken from suspense"
    if place.where is Where.HOUSE:
        words = _left_to_house(session, dispute)
    elif place.stray is not None:
        strays.take(session, place.stray, amount, state="taken")
    session.flush()
    finish, meta = f"dispute:{dispute.id}:finish", {"provider": dispute.provider}
    if dispute.withheld:
        hold = f"dispute:{dispute.id}:hold"
        ledger.release(session, hold_reference=hold, reference=finish, kind="dispute_dropped", meta=meta)
    elif place.is_on_suspense:
        gone = ledger.Posting(ledger.house("suspense"), ledger.clearing(dispute.provider), amount)
        ledger.post(session, reference=finish, kind="dispute_lost", postings=[gone], meta=meta)
    return words


def _left_to_house(session: Session, dispute: Dispute) -> str:
    """Say, for staff, that the customer owes nothing for this one."""
    if not dispute.borne_by_house:
        dispute.borne_by_house = True
        audit.record_of_system(
            session,
            action="dispute.borne_by_house",
            kind="dispute",
            id=dispute.id,
            reason="The deposit had been rolled back, so the customer has nothing of it.",
        )
    return f"dispute {dispute.state}: the house bears it, for the deposit was rolled back"


def take_the_rest(session: Session, *, told: CardDispute) -> str:
    """Of a lost dispute, what had been spent before it could be withheld: from what there is now, else as a debt."""
    found = _found(session, told)
    if found is None or found[0].state != "lost" or not found[0].resolved:
        return ""
    dispute, place = found
    missing = _money(dispute, dispute.amount - (dispute.taken or 0))
    if not missing or place is None or place.user_id is None or place.where is not Where.CUSTOMER:
        return ""
    dispute.taken = dispute.amount
    available, owed = ledger.available(place.user_id), ledger.receivable(place.user_id)
    there = min(ledger.balance(session, available, missing.asset), missing)
    if (debt := missing - there) and place.deposit is not None:
        letters.send(session, place.deposit, Letter.DEBT, debt)
    session.flush()
    shares = ((available, there), (owed, debt))
    ledger.post(
        session,
        reference=f"dispute:{dispute.id}:rest",
        kind="dispute_lost",
        postings=[
            ledger.Posting(source, ledger.clearing(dispute.provider), amount) for source, amount in shares if amount
        ],
        meta={"provider": dispute.provider},
    )  # fmt: skip
    return f"{debt} became a debt" if debt else ""


def book_its_fee(session: Session, *, told: CardDispute) -> str:
    """What the provider has charged for the dispute, once it is closed."""
    dispute = _locked(session, told)
    if dispute is None or dispute.closed_at is None or dispute.fee_booked is not None or told.fee is None:
        return ""
    dispute.fee_booked = Decimal(told.fee.minor)
    session.flush()
    book_fee(session, reference=f"dispute:{dispute.id}:fee", provider=dispute.provider, fee=told.fee)
    return f"fee of {told.fee} booked"


def _tell(session: Session, dispute: Dispute, letter: Letter) -> None:
    if dispute.deposit_id is not None:
        deposit = session.get_one(Deposit, dispute.deposit_id)
        letters.send(session, deposit, letter, _money(dispute, dispute.amount))


def _noted(session: Session, provider: str, told: CardDispute, place: Place | None) -> Dispute:
    """The dispute's row at the provider's present state, locked, with where its money lies until it is withheld."""
    amount = told.amount or Money(0, asset("USD"))
    session.execute(
        insert(Dispute)
        .values(
            id=told.id,
            provider=provider,
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
    if place is not None and dispute.withheld is None:
        dispute.deposit_id = place.deposit.id if place.deposit is not None else None
        lies_there = place.where is Where.SUSPENSE and place.stray is not None
        dispute.stray_id = place.stray.id if lies_there and place.stray is not None else None
    _bring_to(session, dispute, told)
    return dispute


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


def _found(session: Session, told: CardDispute) -> tuple[Dispute, Place | None] | None:
    """The dispute and where its payment's money lies, all locked, in the order that everybody takes them in."""
    known = session.execute(select(Dispute.provider, Dispute.payment_id).where(Dispute.id == told.id)).first()
    if known is None:
        return None
    place = whereabouts.of_payment(session, provider=known.provider, payment_id=known.payment_id)
    return session.get_one(Dispute, told.id, with_for_update=True, populate_existing=True), place


def _locked(session: Session, told: CardDispute) -> Dispute | None:
    return session.get(Dispute, told.id, with_for_update=True, populate_existing=True)


def _money(dispute: Dispute, amount: Decimal) -> Money:
    return Money(int(amount), asset(dispute.asset))
