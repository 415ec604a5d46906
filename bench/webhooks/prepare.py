"""Customers, deposits that were paid at the provider, and the events that tell of it: all made at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from flask import Flask
from sqlalchemy import insert

from advancia.config import Settings
from advancia.core.clock import utcnow
from advancia.core.db import unit_of_work
from advancia.identity.services import sign_up
from advancia.identity.sessions import services as sessions
from advancia.payments.models import Deposit
from advancia.providers.sandbox.checkouts import Checkouts
from advancia.providers.sandbox.store import Store
from advancia.providers.stripe_events import API_VERSION
from advancia.web.public import TERMS_VERSION

CENTS = 4000
AT_ONCE = 1000
READERS = 4
PAID_A_SECOND = 50  # of the payments that the storm tells of; Stripe takes some hundred calls a second


def customers(app: Flask, count: int) -> list[int]:
    """Make so many customers, who have no password to sign in with."""
    made: list[int] = []
    with app.app_context(), unit_of_work() as session:
        for number in range(count):
            user_id = sign_up.create_user(
                session,
                email=f"customer-{number}-{uuid4().hex[:8]}@bench.example",
                name=f"Customer {number}",
                password_hash="none",  # noqa: S106 - a hash that fits no password
                terms_version=TERMS_VERSION,
                terms_accepted_at=utcnow(),
            )
            assert user_id is not None  # noqa: S101 - the database is new
            made.append(user_id)
    return made


def cookies(app: Flask, user_ids: list[int]) -> list[str]:
    """Sign some of them in, and give the cookies of their browsers."""
    signer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
    found = []
    with app.app_context(), unit_of_work() as session:
        for user_id in user_ids[:READERS]:
            token = sessions.start(
                session, user_id=user_id, address="127.0.0.1", user_agent="bench", second_factor=True
            )
            found.append(f"{app.config['SESSION_COOKIE_NAME']}={signer.dumps({'_user_id': token})}")
    return found


def events(app: Flask, user_ids: list[int], count: int, file: Path) -> list[UUID]:
    """Write so many events into `file`, a line each: its id and its body. Give the deposits in that order.

    Each tells of one deposit whose checkout is paid at the sandbox.
    """
    settings: Settings = app.extensions["settings"]
    deposit_ids = [uuid4() for _ in range(count)]
    store = Store(settings.var / "sandbox" / "sandbox.sqlite3")
    store.subscribed = frozenset()  # the events are ours to send
    clock = _Clock(utcnow() - timedelta(seconds=count / PAID_A_SECOND))
    checkouts = Checkouts(store, clock=clock, base_url=str(settings.sandbox_url))
    with store.transaction():
        paid = []
        for deposit_id in deposit_ids:
            paid.append((_paid(checkouts, deposit_id), clock()))
            clock.time += timedelta(seconds=1 / PAID_A_SECOND)
    store.close()
    with file.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(_event(checkout, at)) + "\n" for checkout, at in paid)
    rows = list(_rows(deposit_ids, user_ids, [checkout["id"] for checkout, _ in paid]))
    with app.app_context(), unit_of_work() as session:
        for first in range(0, count, AT_ONCE):
            session.execute(insert(Deposit), rows[first : first + AT_ONCE])
    return deposit_ids


class _Clock:
    """Tells the time that it is set to."""

    def __init__(self, time: datetime) -> None:
        self.time = time

    def __call__(self) -> datetime:
        return self.time


def _paid(checkouts: Checkouts, deposit_id: UUID) -> dict[str, Any]:
    names = {"deposit_id": str(deposit_id)}
    opened = checkouts.create(
        {
            "mode": "payment",
            "line_items": [
                {
                    "quantity": "1",
                    "price_data": {
                        "currency": "usd",
                        "unit_amount": str(CENTS),
                        "product_data": {"name": "Add money to your wallet"},
                    },
                }
            ],
            "client_reference_id": str(deposit_id),
            "success_url": "https://bench.example/deposits",
            "cancel_url": "https://bench.example/deposits",
            "metadata": names,
            "payment_intent_data": {"metadata": names},
            "customer_email": "customer@bench.example",
            "customer_creation": "always",
        }
    )
    return checkouts.pay(opened["id"])


def _event(checkout: dict[str, Any], at: datetime) -> dict[str, str]:
    event_id = f"evt_{uuid4().hex}"
    body = {
        "id": event_id,
        "object": "event",
        "api_version": API_VERSION,
        "created": int(at.timestamp()),
        "data": {"object": {name: value for name, value in checkout.items() if name != "sandbox"}},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": "checkout.session.completed",
    }
    return {"id": event_id, "body": json.dumps(body, indent=2)}


def _rows(deposit_ids: list[UUID], user_ids: list[int], checkout_ids: list[str]) -> Iterator[dict[str, Any]]:
    until = utcnow() + timedelta(hours=2)
    for number, (deposit_id, checkout_id) in enumerate(zip(deposit_ids, checkout_ids, strict=True)):
        yield {
            "id": deposit_id,
            "user_id": user_ids[number % len(user_ids)],
            "request_id": uuid4(),
            "asset": "USD",
            "amount": CENTS,
            "provider": "sandbox",
            "state": "pending",
            "checkout_id": checkout_id,
            "checkout_url": "https://bench.example/checkout",
            "expires_at": until,
        }
