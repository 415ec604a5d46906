"""What giving back or crediting would do now, in sentences, for whoever is to say yes to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from advancia import ledger
from advancia.admin.approvals.queries import Shown
from advancia.admin.approvals.services import Kind
from advancia.admin.payments.second_person import amount_of
from advancia.core.db import Session
from advancia.core.errors import DomainError
from advancia.core.money import Money
from advancia.identity import queries as identity
from advancia.payments.models import Deposit, StrayPayment
from advancia.payments.refunds import services as refunds
from advancia.payments.strays import services as strays
from advancia.wallet.queries import PROVIDER_WORDS


@dataclass(frozen=True)
class Preview:
    """`about`: the deposit or the payment in suspense. `refusal` says why it cannot be done as things stand."""

    deposit_id: UUID | None
    stray_id: int | None
    lines: list[str]
    refusal: str | None


def preview(session: Session, approval: Shown) -> Preview:
    """Of a request to refund, to credit out of suspense, or to send back."""
    if approval.kind == Kind.REFUND:
        deposit = session.get_one(Deposit, UUID(approval.subject))
        lines = list(_of_refund(session, deposit, approval))
        return Preview(deposit.id, None, lines, _refusal_of_refund(session, deposit, approval))
    stray = session.get_one(StrayPayment, int(approval.subject))
    of_kind = _of_credit if approval.kind == Kind.STRAY_CREDIT else _of_return
    return Preview(None, stray.id, list(of_kind(session, stray, approval)), _refusal_of_stray(session, stray))


def _of_refund(session: Session, deposit: Deposit, approval: Shown) -> Iterator[str]:
    amount, name = amount_of(approval.terms), _name(session, deposit.user_id)
    there = ledger.balance(session, ledger.available(deposit.user_id), amount.asset)
    yield f"{amount} is taken from {name}, who has {there} now."
    if amount > there:
        missing = amount - max(there, Money.zero(amount.asset))
        allowed = bool(approval.terms["allow_debt"])
        yield f"{missing} of it was spent: " + (
            "that becomes their debt to us." if allowed else "so it would be refused."
        )
    yield _way_back(deposit.provider, approval)
    yield "If the provider cannot deliver it, it is theirs again."


def _of_credit(session: Session, stray: StrayPayment, approval: Shown) -> Iterator[str]:
    yield f"{strays.left(stray) or stray.words} leaves suspense and is {_name(session, approval.terms['user_id'])}'s."
    yield f"It lies there because: {stray.reason}"


def _of_return(_session: Session, stray: StrayPayment, approval: Shown) -> Iterator[str]:
    yield f"{strays.left(stray) or stray.words} leaves suspense."
    yield _way_back(stray.provider, approval)
    yield "If the provider cannot deliver it, it lies in suspense again."
    yield f"It lies there because: {stray.reason}"


def _way_back(provider: str, approval: Shown) -> str:
    through = f"It is given back through {PROVIDER_WORDS.get(provider, provider)}"
    if approval.terms.get("address") is None:
        return f"{through} to what was paid with."
    return f"{through} to the address that was asked for. What the network takes for that is the payer's to bear."


def _refusal_of_refund(session: Session, deposit: Deposit, approval: Shown) -> str | None:
    left = refunds.refundable(session, deposit)
    return (
        None if amount_of(approval.terms) <= left else f"Only {left} of this payment can still be refunded."
    )


def _refusal_of_stray(session: Session, stray: StrayPayment) -> str | None:
    try:
        strays.open_one(session, stray.id, lock=False)
    except DomainError as refusal:
        return str(refusal)
    return None


def _name(session: Session, user_id: int) -> str:
    person = identity.people(session, {int(user_id)}).get(int(user_id))
    return person.name if person is not None else f"customer {user_id}"
