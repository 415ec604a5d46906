"""Things that belong to somebody, and forms filled in so that they would do: what the crawler asks for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import uuid4

from flask import Flask
from sqlalchemy import func, select

from advancia import ledger
from advancia.core.context import Actor
from advancia.core.db import db, unit_of_work
from advancia.core.money import Money
from advancia.identity.models import UserSession
from advancia.identity.sessions import services as sessions
from advancia.payments import services as payments
from advancia.wallet import queries as wallet
from advancia.wallet.transfers import services as transfers
from tests.support.people import PASSWORD, Customer, new_customer

NOTE = "for the pineapples"


@dataclass
class Place:
    """A route with something of `owner` in it: where to send what, and what of it nobody else may read."""

    path: str
    fields: dict[str, Any]
    owner: Customer
    marks: list[str] = field(default_factory=list)


def place(app: Flask, route: str) -> Place:
    """Make a person, and what the route is about as theirs. Raises `LookupError` for a variable without an entry."""
    owner, friend = (
        new_customer(app, "Zenobia Quartermain", USD="50.00"),
        new_customer(app, "Carol Lindqvist"),
    )
    path = route.partition(" ")[2]
    for variable in re.findall(r"<(?:\w+:)?(\w+)>", path):
        if (make := MAKE.get(variable)) is None:
            raise LookupError(f"Say in tests/security/objects.py how to make a {variable}, for {route}.")
        path = re.sub(rf"<(?:\w+:)?{variable}>", str(make(app, owner, friend)), path)
    return Place(path, fields(friend), owner, [owner.email, owner.handle, owner.name, NOTE])


def _new_people(app: Flask) -> tuple[Customer, Customer]:
    return new_customer(app, "Zenobia Quartermain", USD="50.00"), new_customer(app, "Carol Lindqvist")


_any_people = cache(_new_people)  # for routes that are about nobody in particular


def fields(friend: Customer) -> dict[str, Any]:
    """Something good for every field there is, so that a form is refused for who sends it alone."""
    return {
        "email": friend.email, "password": PASSWORD, "name": "Amara Okafor", "terms": "y", "code": "000000",
        "recipient": friend.email, "asset": "USD", "amount": "1.00", "note": NOTE, "provider": "sandbox",
        "request_id": str(uuid4()), "reason": "The customer asked for it.",
    }  # fmt: skip


def actor(person: Customer) -> Actor:
    return Actor(user_id=person.id, role="customer", address="10.0.0.1", request_id="for-the-crawler")


def _transfer(app: Flask, owner: Customer, friend: Customer) -> Any:
    with app.app_context(), unit_of_work() as session:
        return transfers.send(
            session,
            actor=actor(owner),
            recipient=friend.email,
            amount=Money.of("2.00", "USD"),
            note=NOTE,
            request_id=uuid4(),
        )


def _deposit(app: Flask, owner: Customer, _friend: Customer) -> Any:
    with app.app_context(), unit_of_work() as session:
        return payments.request_deposit(
            session,
            actor=actor(owner),
            amount=Money.of("20.00", "USD"),
            provider="sandbox",
            request_id=uuid4(),
        )


def _movement(app: Flask, owner: Customer, friend: Customer) -> str:
    _transfer(app, owner, friend)
    with app.app_context():
        return wallet.history(db.session(), owner.id).rows[0].reference


def _transaction(app: Flask, owner: Customer, friend: Customer) -> int:
    reference = _movement(app, owner, friend)
    with app.app_context():
        found = ledger.transaction(db.session(), reference)
    assert found is not None
    return found.id


def _session(app: Flask, owner: Customer, _friend: Customer) -> int:
    with app.app_context(), unit_of_work() as session:
        sessions.start(
            session, user_id=owner.id, address="10.0.0.2", user_agent="Another browser", second_factor=True
        )
        newest = select(func.max(UserSession.id)).where(UserSession.user_id == owner.id)
        return session.scalars(newest).one()


MAKE: dict[str, Callable[[Flask, Customer, Customer], Any]] = {
    "transfer_id": _transfer,
    "deposit_id": _deposit,
    "reference": _movement,
    "txn_id": _transaction,
    "user_id": lambda _app, owner, _friend: owner.id,
    "session_id": _session,
    "token": lambda *_: "a-token-which-nobody-was-given",  # with a right one, whoever has it may
    "name": lambda *_: "20261124-000000-none.eml",  # development alone, and open to all there
}
