"""Demo data: two customers with something in every wallet, so that a first look shows a living product."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from uuid import NAMESPACE_URL, uuid5

from advancia import ledger
from advancia.core.clock import utcnow
from advancia.core.context import Actor
from advancia.core.db import Session, in_unit_of_work, unit_of_work
from advancia.core.money import Money
from advancia.identity import queries as people
from advancia.identity.services import passwords, sign_up
from advancia.wallet.transfers import services as transfers
from advancia.wallet.transfers.errors import Suspended, UnknownRecipient
from advancia.web.public import TERMS_VERSION

PASSWORD = "correct horse ledger staple"  # noqa: S105 - printed at every start, for development only
PEOPLE = (("amara@demo.example", "Amara Okafor"), ("bilal@demo.example", "Bilal Haddad"))
OPENING = (
    ("1250.00", "USD"),
    ("0.05118200", "BTC"),
    ("0.921500000000000001", "ETH"),
    ("550.000000", "USDT"),
    ("1249.30", "ADV"),
)
# from, to, amount, asset, note
TRANSFERS = (
    (0, 1, "640.00", "USD", "Rent, November"),
    (1, 0, "24.50", "USD", "Dinner on Friday"),
    (0, 1, "0.00250000", "BTC", ""),
    (1, 0, "120.00", "ADV", "Thank you for the photographs"),
    (1, 0, "180.25", "USD", "Half of the train tickets"),
)


def seed() -> list[str]:
    """Create what is missing of the demo; return the addresses of its people. Repeatable."""
    user_ids = [_person(email, name) for email, name in PEOPLE]
    for user_id in user_ids:
        for number, (amount, code) in enumerate(OPENING):
            in_unit_of_work(partial(_open, user_id=user_id, number=number, amount=Money.of(amount, code)))
    for number, (sender, recipient, amount, code, note) in enumerate(TRANSFERS):
        send = partial(
            transfers.send,
            actor=Actor(user_id=user_ids[sender], role="customer", address=None, request_id=None),
            recipient=PEOPLE[recipient][0],
            amount=Money.of(amount, code),
            note=note,
            request_id=uuid5(NAMESPACE_URL, f"advancia:demo:{user_ids[sender]}:{number}"),
        )
        with suppress(Suspended, UnknownRecipient):  # somebody has tried the staff pages on them
            in_unit_of_work(send)
    return [email for email, _name in PEOPLE]


def _person(email: str, name: str) -> int:
    with unit_of_work() as session:
        known = people.id_of(session, email)
        if known is not None:
            return known
        user_id = sign_up.create_user(
            session,
            email=email,
            name=name,
            password_hash=passwords.hashed(PASSWORD),
            terms_version=TERMS_VERSION,
            terms_accepted_at=utcnow(),
        )
    if user_id is None:
        raise RuntimeError(f"{email} could not be created.")
    return user_id


def _open(session: Session, *, user_id: int, number: int, amount: Money) -> None:
    ledger.post(
        session,
        reference=f"demo:opening:{user_id}:{number}",
        kind="opening",
        postings=[ledger.Posting(ledger.house("treasury"), ledger.available(user_id), amount)],
    )
