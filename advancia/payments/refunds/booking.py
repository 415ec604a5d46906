"""What a refund moves in the books, by where the payment's money lies, and its mirror when it fails."""

from __future__ import annotations

from sqlalchemy import func

from advancia import ledger
from advancia.core.db import Session
from advancia.core.money import Money, asset
from advancia.ledger.links import links_of
from advancia.payments import letters, offers
from advancia.payments.letters import Letter
from advancia.payments.models import Deposit, Dispute, Refund, StrayPayment
from advancia.payments.strays import services as strays
from advancia.payments.whereabouts import Place, Where

SUSPENSE, FEES = ledger.house("suspense"), ledger.house("fees")


def amount_of(refund: Refund | Dispute) -> Money:
    """How much it is about."""
    return Money(int(refund.amount), asset(refund.asset))


def book(session: Session, refund: Refund, place: Place, *, allow_debt: bool) -> None:
    """Take what goes back from where it lies. Post nothing after it in the same unit of work.

    From a customer it may raise `InsufficientFunds`, unless `allow_debt`: then what was spent becomes their debt. What
    had been rolled back is the house's already, so nobody owes anything. Raises `WrongCheckout` for more than is there.
    """
    if place.where is Where.SUSPENSE and place.stray is not None:
        strays.take(session, place.stray, amount_of(refund), state="returned")
        if place.deposit is not None:
            letters.send(session, place.deposit, Letter.SENT_BACK, amount_of(refund))
    elif place.where is Where.CUSTOMER and place.paid_deposit_id is not None and place.deposit is not None:
        letters.send(
            session, place.deposit, Letter.REFUND, amount_of(refund), posted_as=f"refund:{refund.id}"
        )
    session.flush()
    if place.is_on_suspense:
        _post_from_suspense(session, refund, place)
    elif place.where is Where.CUSTOMER and place.credit is not None:
        _take_from_customer(session, refund, place, allow_debt=allow_debt)


def undo(session: Session, refund: Refund, *, deposit: Deposit | None, stray: StrayPayment | None) -> None:
    """Put back what the refund has taken, to where it came from: the mirror of its posting, debts included."""
    taken = ledger.transaction(session, f"refund:{refund.id}")
    if taken is None:
        return
    if stray is not None and any(each.account == SUSPENSE for each in taken.entries):
        strays.put_back(session, stray, amount_of(refund))
    elif deposit is not None:
        letters.send(session, deposit, Letter.REFUND_FAILED, amount_of(refund))
    session.flush()
    if links_of(session, [taken.id])[taken.id].reversed_by is None:  # else staff have rolled it back
        _reverse(session, refund, taken)


def _reverse(session: Session, refund: Refund, taken: ledger.Transaction) -> None:
    undone = f"refund:{refund.id}:undone"
    if links_of(session, [taken.id])[taken.id].reverses is not None:
        ledger.post(
            session,
            reference=undone,
            kind="refund_undone",
            postings=_mirrored(taken, ledger.clearing(refund.provider)),
            meta={"provider": refund.provider},
        )
        return
    ledger.reverse(
        session,
        transaction_reference=taken.reference,
        reference=undone,
        reason="The refund failed",
        kind="refund_undone",
    )


def _mirrored(taken: ledger.Transaction, clearing: ledger.AccountKey) -> list[ledger.Posting]:
    """A mirror cannot be mirrored by the ledger, so the way back is written out, account by account."""
    others = [each for each in taken.entries if each.account != clearing]
    return [
        ledger.Posting(clearing, each.account, -each.amount)
        if each.amount.is_negative
        else ledger.Posting(each.account, clearing, each.amount)
        for each in others
    ]


def _post_from_suspense(session: Session, refund: Refund, place: Place) -> None:
    clearing = ledger.clearing(refund.provider)
    ledger.post(
        session,
        reference=f"refund:{refund.id}",
        kind="stray",
        postings=[
            ledger.Posting(SUSPENSE, clearing, amount_of(refund)),
            *[ledger.Posting(clearing, FEES, fee) for fee in _fees_undone(session, refund, place)],
        ],
        meta={"provider": refund.provider},
    )


def _fees_undone(session: Session, refund: Refund, place: Place) -> list[Money]:
    """Coins go back with what was kept of them; what a card costs stays spent."""
    came = ledger.transaction(session, f"stray:{place.stray.id}") if place.stray is not None else None
    if refund.provider not in offers.CRYPTO or came is None:
        return []
    return [-each.amount for each in came.entries if each.account == FEES]


def _take_from_customer(session: Session, refund: Refund, place: Place, *, allow_debt: bool) -> None:
    """Coins go back whole, by the mirror of their credit with its fee; the rest may go in parts."""
    credit, reference = place.credit or "", f"refund:{refund.id}"
    if refund.provider in offers.CRYPTO and place.stray is None:
        ledger.reverse(
            session,
            transaction_reference=credit,
            reference=reference,
            reason="Given back",
            allow_debt=allow_debt,
            kind="refund",
        )
        return
    ledger.refund(
        session,
        transaction_reference=credit,
        reference=reference,
        amount=amount_of(refund),
        destination=ledger.clearing(refund.provider),
        allow_debt=allow_debt,
        meta={"provider": refund.provider},
    )


def succeed(session: Session, refund: Refund, *, deposit: Deposit | None) -> None:
    """Note that it has arrived, and tell it of a deposit that was never credited."""
    refund.state = "succeeded"
    if refund.settled_at is None:
        refund.settled_at = func.now()
    if refund.stray_id is not None and deposit is not None and deposit.state == "locked":
        stray = session.get(StrayPayment, refund.stray_id)
        if stray is not None and stray.state == "returned":
            deposit.state, deposit.failure = "returned", None
