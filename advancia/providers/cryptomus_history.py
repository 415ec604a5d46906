"""Cryptomus's list of invoices, read as movements: one for each invoice, with what has come of it so far."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING

from advancia.providers import movements
from advancia.providers.cryptomus_states import Meaning
from advancia.providers.movements import Movement

if TYPE_CHECKING:
    from advancia.providers.cryptomus import Invoice

# The provider's days begin in this zone, wherever its merchants are.
ZONE = timezone(timedelta(hours=3))
OURS = (Meaning.CREDIT, Meaning.NOT_RETURNED)
# Of a coin that we do not keep we do not know how finely it divides either.
UNKNOWN_DECIMALS = 8


def written_moment(moment: datetime) -> str:
    """As the list's filters want it."""
    return moment.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S")


def listed_between(since: datetime, until: datetime) -> dict[str, str]:
    """What its lists are asked with: when a thing was made, both ends included."""
    return {"date_from": written_moment(since), "date_to": written_moment(until)}


def moment_from(told: str) -> datetime:
    """With a zone, as invoices have it, or without one, as payouts do. Raises `ValueError`."""
    moment = datetime.fromisoformat(told)
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZONE)).astimezone(UTC)


def movement_from(invoice: Invoice) -> Movement:
    """What is ours of the invoice by now: nothing before it counts, and nothing once it is given back.

    Raises `ValueError` for one that does not say when it was opened: it could be held against nothing.
    """
    if invoice.created_at is None:
        raise ValueError(f"Invoice {invoice.id} does not say when it was opened.")
    came = invoice.meaning in OURS
    code, amount = _arrived(invoice) if came else (invoice.asked.asset.code, 0)
    return Movement(
        id=invoice.id,
        what=movements.PAYMENT,
        ref=invoice.id,
        code=code,
        amount=amount,
        fee=invoice.fee.minor if came and invoice.fee else 0,
        happened_at=invoice.changed_at or invoice.created_at,
        state=invoice.status,
        deposit=invoice.deposit_id,
    )


def _arrived(invoice: Invoice) -> tuple[str, int]:
    if invoice.arrived is not None:
        return invoice.arrived.asset.code, invoice.arrived.minor
    if not invoice.arrived_words:
        return invoice.asked.asset.code, 0
    amount, _, code = invoice.arrived_words.partition(" ")
    return code, int(Decimal(amount).scaleb(UNKNOWN_DECIMALS))
