"""Customers for tests, made as the product makes them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from itertools import count

from flask import Flask
from sqlalchemy import func, update

from advancia import ledger
from advancia.core.clock import utcnow
from advancia.core.db import unit_of_work
from advancia.core.money import Money
from advancia.identity import queries
from advancia.identity.models import User
from advancia.identity.services import passwords, sign_up
from advancia.web.public import TERMS_VERSION

PASSWORD = "a long password for tests"

_numbers = count(1)


@dataclass(frozen=True)
class Customer:
    """A person; members of staff are of this form as well."""

    id: int
    email: str
    handle: str
    name: str
    password: str = PASSWORD


@cache
def _password_hash() -> str:
    return passwords.hashed(PASSWORD)


def new_customer(app: Flask, name: str, **money: str) -> Customer:
    """A person with a verified address and the given amounts: `USD="100.00"`."""
    customer = _new_person(app, name, role="customer")
    for code, amount in money.items():
        give(app, customer.id, Money.of(amount, code))
    return customer


def new_staff(app: Flask, role: str, name: str = "Sam Adeyemi") -> Customer:
    """A member of staff who counts as having a second factor; `support.factors.enrol_totp` gives them a real one."""
    person = _new_person(app, name, role=role)
    with app.app_context(), unit_of_work() as session:
        session.execute(update(User).where(User.id == person.id).values(second_factor_since=func.now()))
    return person


def _new_person(app: Flask, name: str, *, role: str) -> Customer:
    email = f"{name.split(maxsplit=1)[0].lower()}-{os.getpid()}-{next(_numbers)}@test.example"
    with app.app_context():
        with unit_of_work() as session:
            user_id = sign_up.create_user(
                session,
                email=email,
                name=name,
                password_hash=_password_hash(),
                terms_version=TERMS_VERSION,
                terms_accepted_at=utcnow(),
                role=role,
            )
        assert user_id is not None
        with unit_of_work() as session:
            person = queries.person(session, user_id)
    return Customer(person.id, person.email, person.handle, person.name)


def give(app: Flask, user_id: int, amount: Money) -> None:
    """Open the balance with `amount` out of the treasury."""
    with app.app_context(), unit_of_work() as session:
        ledger.post(
            session,
            reference=f"test:opening:{user_id}:{next(_numbers)}:{os.getpid()}",
            kind="opening",
            postings=[ledger.Posting(ledger.house("treasury"), ledger.available(user_id), amount)],
        )
