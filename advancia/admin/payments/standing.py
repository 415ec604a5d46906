"""Where a payment stands for staff: its state, and what has come after it, as one word that the list filters by."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import case, exists, func, literal, select
from sqlalchemy.sql.elements import ColumnElement

from advancia.payments.models import Deposit, Dispute, Refund, StrayPayment

UNDER_WAY, GOES_BACK, REFUNDED, PARTLY, DISPUTED, LOST = (
    "under_way",
    "goes_back",
    "refunded",
    "refunded_in_part",
    "disputed",
    "lost",
)
WORDS = {
    "created": "Not begun",
    "pending": "Waiting for the payer",
    UNDER_WAY: "On its way",
    "locked": "Being checked",
    "paid": "Paid in",
    PARTLY: "Refunded in part",
    REFUNDED: "Refunded",
    DISPUTED: "Disputed",
    LOST: "Lost to a dispute",
    GOES_BACK: "On its way back",
    "returned": "Given back",
    "failed": "Not paid",
    "expired": "Expired",
}
# The state that a standing is told apart from, where it is no state itself.
STATE_OF = {
    UNDER_WAY: "pending",
    GOES_BACK: "locked",
    PARTLY: "paid",
    REFUNDED: "paid",
    DISPUTED: "paid",
    LOST: "paid",
}
# In the words of Cryptomus, and what staff read instead; the others say no more than the deposit's own state.
PROVIDER_STATES = {
    "process": "is looking for the payment",
    "confirm_check": "waits for the network",
    "wrong_amount": "received too little",
    "wrong_amount_waiting": "waits for the rest",
    "paid_over": "received too much",
    "locked": "holds the payment for a check",
    "refund_process": "is giving the coins back",
    "refund_paid": "has given the coins back",
    "refund_fail": "could not give the coins back",
    "fail": "says that the payment failed",
    "system_fail": "had a fault of its own",
}


def standing() -> ColumnElement[str]:
    """As a column beside `Deposit`. An open dispute is told before a refund: it is what somebody waits for."""
    is_paid = Deposit.state == "paid"
    returned = exists().where(StrayPayment.deposit_id == Deposit.id, StrayPayment.state == "returned")
    refunded = _refunded()
    return case(
        (is_paid & _is_disputed("open"), literal(DISPUTED)),
        (is_paid & _is_disputed("lost"), literal(LOST)),
        (is_paid & (refunded >= Deposit.credited), literal(REFUNDED)),
        (is_paid & (refunded > 0), literal(PARTLY)),
        ((Deposit.state == "pending") & Deposit.checkout_url.is_(None), literal(UNDER_WAY)),
        ((Deposit.state == "locked") & returned, literal(GOES_BACK)),
        else_=Deposit.state,
    )


def stands(wanted: str) -> ColumnElement[bool]:
    """The deposits that stand so."""
    return (Deposit.state == STATE_OF.get(wanted, wanted)) & (standing() == wanted)


def _is_disputed(state: str) -> ColumnElement[bool]:
    return exists().where(
        Dispute.deposit_id == Deposit.id, Dispute.state == state, Dispute.stray_id.is_(None)
    )


def _refunded() -> ColumnElement[Decimal]:
    total = select(func.coalesce(func.sum(Refund.amount), 0))
    return total.where(Refund.deposit_id == Deposit.id, Refund.state != "failed").scalar_subquery()
