"""Setting a payment aside that cannot be credited, and what staff decide about it."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from advancia import audit, ledger
from advancia.core import outbox
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.core.errors import NotFound
from advancia.core.jobs import Job
from advancia.core.money import Asset, Money, asset
from advancia.payments.bank import fee_posting
from advancia.payments.errors import AlreadyDecided, Disputed, OnItsWayBack, WrongCheckout
from advancia.payments.models import UNDER_WAY, Deposit, Dispute, Refund, StrayPayment
from advancia.payments.strays import references
from advancia.webhooks import services as webhooks

GOES_BACK = "Your payment goes back to where it came from. You need not do anything."
LOOKED_AT = "Your payment has arrived, and we look at it by hand before it can be used. We tell you soon."
TAKEN = "Your bank has taken this payment back."
# What the events say that were parked for it, once it is decided about.
SETTLED = {
    "credited": "Staff have credited it.",
    "returned": "It was given back.",
    "taken": "The payer's bank has taken it back.",
}


def put_aside(
    session: Session,
    *,
    provider: str,
    payment_id: str,
    amount: Money | None,
    words: str,
    reason: str,
    fee: Money | None = None,
    deposit_id: UUID | None = None,
    network: str | None = None,
) -> bool:
    """Put a payment into suspense, once, with the reason for staff; false when it was put there before.

    `amount` is None for money that the books cannot keep: it is noted in `words`, and nothing is posted. `fee` is what
    the provider has kept of it, which is the house's cost whoever the money turns out to belong to. `network` is
    the one that coins came over; that of the deposit, unless it is given.
    """
    if network is None and deposit_id is not None:
        network = session.scalar(select(Deposit.network).where(Deposit.id == deposit_id))
    stray_id = session.scalar(
        insert(StrayPayment)
        .values(
            provider=provider,
            payment_id=payment_id,
            deposit_id=deposit_id,
            network=network,
            asset=amount.asset.code if amount else None,
            amount=Decimal(amount.minor) if amount else None,
            words=words,
            reason=reason,
        )
        .on_conflict_do_nothing(index_elements=[StrayPayment.provider, StrayPayment.payment_id])
        .returning(StrayPayment.id)
    )
    if stray_id is None:
        return False
    audit.record_of_system(session, action="stray.noted", kind="stray", id=stray_id, reason=reason)
    if amount:
        meta = {"provider": provider, "payment": payment_id, "reason": reason}
        _book(session, stray_id, amount, fee, meta)
    return True


def _book(session: Session, stray_id: int, amount: Money, fee: Money | None, meta: dict[str, str]) -> None:
    clearing = ledger.clearing(meta["provider"])
    ledger.post(
        session,
        reference=f"stray:{stray_id}",
        kind="stray",
        postings=[
            ledger.Posting(clearing, ledger.house("suspense"), amount),
            *([fee_posting(meta["provider"], fee)] if fee else []),
        ],
        meta=meta,
    )


def holds(session: Session, deposit_id: UUID) -> bool:
    """Whether the deposit's money has been put into suspense."""
    return session.scalar(select(StrayPayment.id).where(StrayPayment.deposit_id == deposit_id)) is not None


def credit(
    session: Session, *, actor: Actor, stray_id: int, user_id: int, reason: str, asked_by: int | None = None
) -> None:
    """Credit what of a payment lies in suspense to a customer. `asked_by` had the idea, where `actor` only agrees.

    Raises `AlreadyDecided`, `Disputed`, `OnItsWayBack`, and `NotFound` for what holds no money.
    """
    stray, deposit = open_one(session, stray_id)
    amount = left(stray)
    if amount is None:
        raise NotFound
    stray.user_id = user_id
    decide(session, stray, actor, "credited", reason, asked_by=asked_by)
    if deposit is not None and deposit.user_id == user_id and deposit.asset == stray.asset:
        deposit.state, deposit.failure = "paid", None
        deposit.paid_at, deposit.credited = func.now(), Decimal(amount.minor)
        _tell(session, deposit, amount)
    session.flush()
    ledger.post(
        session,
        reference=references.free_credit(session, stray),
        kind="deposit",
        postings=[ledger.Posting(ledger.house("suspense"), ledger.available(user_id), amount)],
        meta={"provider": stray.provider},
    )


def take(session: Session, stray: StrayPayment, amount: Money, *, state: str) -> None:
    """Note that so much of it leaves suspense; once nothing is left it is `state`. The caller has locked it, and posts.

    Raises `WrongCheckout` for more than lies there.
    """
    lies_there = left(stray)
    if lies_there is None or amount.asset != lies_there.asset or amount > lies_there:
        raise WrongCheckout(
            f"Of payment {stray.payment_id} {lies_there} lies in suspense, and {amount} is to leave it."
        )
    stray.taken += Decimal(amount.minor)
    if amount != lies_there:
        return
    stray.state, stray.resolved_at = state, func.now()
    _settle_events(session, stray)
    deposit = session.get(Deposit, stray.deposit_id) if stray.deposit_id else None
    if deposit is not None and deposit.state == "locked":
        deposit.state = "locked" if state == "returned" else "returned"
        deposit.failure = GOES_BACK if state == "returned" else TAKEN


def put_back(session: Session, stray: StrayPayment, amount: Money) -> None:
    """Note that so much lies in suspense again, because it could not be given back: staff decide anew."""
    stray.taken -= Decimal(amount.minor)
    if stray.state == "returned":
        stray.state, stray.resolved_at, stray.resolved_by = "open", None, None
    deposit = session.get(Deposit, stray.deposit_id) if stray.deposit_id else None
    if deposit is not None and deposit.state in ("locked", "returned"):
        deposit.state, deposit.failure = "locked", LOOKED_AT


def note_return(session: Session, stray: StrayPayment) -> str:
    """Write down that the provider has given back a payment of which nothing could be booked."""
    if stray.state != "open" or stray.amount is not None:
        return "is not in suspense"
    stray.state, stray.resolved_at = "returned", func.now()
    _settle_events(session, stray)
    deposit = session.get(Deposit, stray.deposit_id) if stray.deposit_id else None
    if deposit is not None and deposit.state == "locked":
        deposit.state = "returned"
    session.flush()
    audit.record_of_system(session, action="stray.returned", kind="stray", id=stray.id)
    return "was given back by the provider"


def left(stray: StrayPayment) -> Money | None:
    """What came of it, less what was given back or taken; None for a currency that the books do not keep."""
    if stray.amount is None or stray.asset is None:
        return None
    return Money(int(stray.amount - stray.taken), asset(stray.asset))


def in_suspense(session: Session) -> dict[Asset, Money]:
    """What all payments that staff have not decided about come to: what `suspense` must be, asset by asset."""
    rows = session.execute(
        select(StrayPayment.asset, func.sum(StrayPayment.amount - StrayPayment.taken))
        .where(StrayPayment.state == "open", StrayPayment.asset.is_not(None))
        .group_by(StrayPayment.asset)
    )
    return {asset(str(code)): Money(int(total or 0), asset(str(code))) for code, total in rows}


def locked_of_payment(session: Session, *, provider: str, payment_id: str) -> StrayPayment | None:
    """The payment by its provider's name for it, locked; None if it never was in suspense."""
    return session.scalars(
        select(StrayPayment)
        .where(StrayPayment.provider == provider, StrayPayment.payment_id == payment_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).first()


def waits(session: Session, *, provider: str, payment_id: str) -> bool:
    """Whether it is still to be decided about. Whoever decides at this moment comes first, or waits for the caller."""
    state = session.scalar(
        select(StrayPayment.state)
        .where(StrayPayment.provider == provider, StrayPayment.payment_id == payment_id)
        .with_for_update(read=True)
    )
    return state == "open"


def open_one(session: Session, stray_id: int, *, lock: bool = True) -> tuple[StrayPayment, Deposit | None]:
    """A payment that may be decided about, and the deposit that it came for, both locked, unless only looked at.

    Raises `NotFound`, `AlreadyDecided`; `Disputed` and `OnItsWayBack` for what has to wait.
    """
    deposit_id = session.scalar(select(StrayPayment.deposit_id).where(StrayPayment.id == stray_id))
    deposit = (
        session.get(Deposit, deposit_id, with_for_update=lock, populate_existing=True) if deposit_id else None
    )
    stray = session.get(StrayPayment, stray_id, with_for_update=lock, populate_existing=True)
    if stray is None:
        raise NotFound
    if stray.state != "open":
        raise AlreadyDecided
    if is_disputed(session, stray):
        raise Disputed
    under_way = select(Refund.id).where(Refund.stray_id == stray.id, Refund.state.in_(UNDER_WAY))
    if session.scalar(under_way.limit(1)) is not None:
        raise OnItsWayBack
    return stray, deposit


def is_disputed(session: Session, stray: StrayPayment) -> bool:
    """Whether a dispute about it is open; a bank that only asks does not keep it."""
    return (
        session.scalar(
            select(Dispute.id)
            .where(
                Dispute.provider == stray.provider,
                Dispute.payment_id == stray.payment_id,
                Dispute.state == "open",
            )
            .limit(1)
        )
        is not None
    )


def decide(
    session: Session,
    stray: StrayPayment,
    actor: Actor,
    state: str,
    reason: str,
    *,
    asked_by: int | None = None,
    **after: object,
) -> None:
    """Write down what staff have decided, who, and why."""
    stray.state = state
    stray.resolved_at = func.now()
    stray.resolved_by = actor.user_id
    _settle_events(session, stray)
    audit.record(
        session,
        actor,
        action=f"stray.{state}",
        kind="stray",
        id=stray.id,
        after={"user_id": stray.user_id, "asked_by": asked_by or actor.user_id, **after},
        reason=reason,
    )


def _settle_events(session: Session, stray: StrayPayment) -> None:
    webhooks.settle_waiting(
        session, provider=stray.provider, payment_id=stray.payment_id, note=SETTLED[stray.state]
    )


def _tell(session: Session, deposit: Deposit, amount: Money) -> None:
    """The mail that a deposit brings when it is credited at once."""
    outbox.put(
        session,
        Job.SEND_EMAIL,
        template="deposit_paid",
        user_id=deposit.user_id,
        facts={"deposit_id": str(deposit.id), "amount": str(amount)},
    )
