"""A product that trades with the simulated providers over HTTP, and is told of everything that happens there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import httpx
from flask import Flask
from sqlalchemy import text

from advancia.core.clock import utcnow
from advancia.core.context import Actor
from advancia.core.db import db, in_unit_of_work, unit_of_work
from advancia.core.money import Money
from advancia.payments import news, services
from advancia.providers.cryptomus import CryptoGateway
from advancia.providers.sandbox.server import SandboxServer
from advancia.providers.stripe import CardGateway
from advancia.reconciliation import corrections, deciding, queries
from advancia.reconciliation.asking import Asked, Cards, Coins
from advancia.reconciliation.outside import Books
from advancia.reconciliation.queries import DifferenceRow
from advancia.reconciliation.runs import Window
from tests.reconciliation.provider import reconcile

LATER = timedelta(hours=2)
SECRET = "whsec_for_tests"
# All that was ever traded, gone from our side; the people stay.
FORGET = """
    do $$
    declare
      guards text[] := (
        select array_agg(format('alter table %s %%s trigger %I', tgrelid::regclass, tgname)) from pg_trigger
        where tgrelid in ('ledger.entry'::regclass, 'ledger.txn'::regclass, 'ledger.account'::regclass)
          and tgenabled = 'O' and not tgisinternal);
      guard text;
    begin
      foreach guard in array guards loop execute format(guard, 'disable'); end loop;
      delete from ledger.entry;
      delete from ledger.txn;
      delete from ledger.account;
      foreach guard in array guards loop execute format(guard, 'enable'); end loop;
    end $$;
    truncate refund, dispute, stray_payment, deposit, outbox, alarm,
             reconciliation_run, reconciliation_difference, reconciliation_finding cascade;
"""


class Clock:
    """The providers' clock, which a test may move; it stands beside ours until then."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return utcnow() + self.ahead


class Trade:
    """What customers do at the providers' pages, and what the product makes of the news."""

    def __init__(
        self, app: Flask, server: SandboxServer, card: CardGateway, crypto: CryptoGateway, clock: Clock
    ) -> None:
        self.app, self.server, self.card, self.crypto, self.clock = app, server, card, crypto, clock
        self.house = app.house
        self.person = self.house.person()

    def pay(self, amount: str = "100.00", *, told: bool = True, outcome: str = "pay") -> str:
        """Pay in by card, and return the payment's name."""
        money = Money.of(amount, "USD")
        deposit_id = self._wish(money, self.card.name)
        checkout = self.card.create_checkout(
            deposit_id=deposit_id, amount=money, customer_email="amara@test.example",
            success_url="http://shop.example/", cancel_url="http://shop.example/",
            expires_at=self.clock() + timedelta(hours=1),
        )  # fmt: skip
        with unit_of_work() as session:
            services.record_checkout(
                session, deposit_id=deposit_id, checkout_id=checkout.id, url=checkout.url
            )
        httpx.post(checkout.url, data={"outcome": outcome}, trust_env=False)
        payment = self.card.retrieve_checkout(checkout.id).payment_intent
        if told and payment:
            self.hear(payment)
        return payment

    def pay_elsewhere(self, minor: int, code: str) -> str:
        """A payment that was begun without a checkout of ours, and of which nobody has told us."""
        asked = {"amount": str(minor), "currency": code, "confirm": "true"}
        return str(self.server.cards.payments.create(asked)["id"])

    def pay_coins(self, amount: str = "0.01000000", *, told: bool = True, sent: str | None = None) -> str:
        """Pay in by coins, and return the invoice's name."""
        money = Money.of(amount, "BTC")
        deposit_id = self._wish(money, self.crypto.name)
        invoice = self.crypto.create_invoice(
            deposit_id=deposit_id, amount=money, return_url="http://shop.example/", callback_url="",
            lifetime=timedelta(hours=2),
        )  # fmt: skip
        with unit_of_work() as session:
            services.record_checkout(session, deposit_id=deposit_id, checkout_id=invoice.id, url=invoice.url)
        self.server.invoices.send(invoice.id, Decimal(sent or amount))
        self.server.invoices.confirm(invoice.id)
        if told:
            self.hear_coins(invoice.id)
        return invoice.id

    def give_back(self, invoice: str) -> str:
        self.server.invoices.become(invoice, "refund_paid")
        self.hear_coins(invoice)
        return invoice

    def hear(self, payment: str, kind: str = "payment_intent.succeeded") -> None:
        """Do what an event about the payment would have done."""
        told = news.of_card(self.card, kind, payment)
        for step in told.steps:
            in_unit_of_work(step)

    def hear_coins(self, invoice: str) -> None:
        for step in news.of_crypto(self.crypto, "payment.paid", invoice).steps:
            in_unit_of_work(step)

    def refund(self, payment: str, amount: str, *, told: bool = True, fails: bool = False) -> str:
        """Refund at the provider's own pages."""
        self.server.cards.refunds.will("bounce" if fails else "succeeded")
        asked = {"payment_intent": payment, "amount": str(Money.of(amount, "USD").minor)}
        refund = self.server.cards.refunds.create(asked)["id"]
        if told:
            self.hear(payment)
        if fails:
            self.server.cards.refunds.bounce(refund)
            if told:
                self.hear(refund, "refund.failed")
        return str(refund)

    def dispute(self, payment: str, *, ends: str | None = None, told: bool = True) -> str:
        dispute = self.server.cards.disputes.open(payment)["id"]
        if told:
            self.hear(payment)
        if ends is not None:
            self.server.cards.disputes.close(dispute, won=ends == "won")
            if told:
                self.hear(payment)
        return str(dispute)

    def pay_out(self, amount: str, *, told: bool = True, fails: bool = False) -> str:
        payout = self.server.cards.disputes.pay_out(Money.of(amount, "USD").minor, fails=False)["id"]
        if told:
            self._hear_of(payout)
        return str(payout)

    def pay_out_coins(
        self, amount: str, *, state: str = "paid", is_final: bool = True, txid: str | None = None
    ) -> str:
        """Pay coins out at the provider's own pages, and return the payout's name."""
        asked = {
            "order_id": f"p-{uuid4()}",
            "amount": amount,
            "currency": "BTC",
            "network": "btc",
            "address": "x",
        }
        payout = str(self.server.payouts.create(asked)["uuid"])
        if state != "process":
            self.server.payouts.become(payout, state, is_final=is_final)
        if txid:
            self.server.remember([self.server._store.object(payout) | {"txid": txid}])
        return payout

    def moved(self, source: str) -> list[dict[str, Any]]:
        """The provider's lines about a payment, a refund, a dispute or a payout."""
        store = self.server._store
        if source.startswith("pi_"):
            source = store.object(source)["latest_charge"]
        return store.objects("txn_", "source", source)

    def alter(self, source: str, **changes: Any) -> None:
        """Change the provider's first line about something behind everybody's back."""
        line = self.moved(source)[-1] | changes
        self.server.remember([line | {"net": line["amount"] - line["fee"]}])

    def copy(self, source: str) -> None:
        """Write the provider's line about something a second time."""
        self.server.remember([self.moved(source)[0] | {"id": f"txn_{uuid4().hex[:24]}"}])

    def alter_invoice(self, invoice: str, **changes: Any) -> None:
        self.server.remember([self.server._store.object(invoice) | changes])

    def line(self, amount: int, *, kind: str = "stripe_fee", days_ago: int = 0, code: str = "usd") -> str:
        """A line of the provider's that has to do with nothing of ours."""
        name = f"txn_{uuid4().hex[:24]}"
        made = int((utcnow() - timedelta(days=days_ago)).timestamp())
        self.server.remember(
            [
                {
                    "id": name, "object": "balance_transaction", "amount": amount, "fee": 0, "net": amount,
                    "created": made, "available_on": made, "currency": code, "source": None, "type": kind,
                }
            ]
        )  # fmt: skip
        return name

    def states(self) -> list[str]:
        """How each difference stands, in the order in which they were found."""
        return list(db.session.scalars(text("select state from reconciliation_difference order by id")))

    def put_right(self, their_ref: str) -> None:
        """By the posting that the product proposes."""
        row = self._open_one(their_ref)
        correction = corrections.proposed(row)
        assert correction is not None
        with unit_of_work() as session:
            deciding.post(
                session,
                actor=self.house.actor,
                difference_id=row.id,
                correction=correction,
                reason="So it is",
            )

    def explain(self, their_ref: str | None = None) -> None:
        with unit_of_work() as session:
            deciding.explain(
                session, actor=self.house.actor, difference_id=self._open_one(their_ref).id, reason="So it is"
            )

    def _open_one(self, their_ref: str | None) -> DifferenceRow:
        found = db.session.scalar(
            text(
                "select id from reconciliation_difference "
                "where their_ref is not distinct from :ref and state = 'open'"
            ),
            {"ref": their_ref},
        )
        row = queries.difference(db.session(), found)
        db.session.rollback()
        return row

    def _hear_of(self, payout: str) -> None:
        for step in news.of_card(self.card, "payout.paid", payout).steps:
            in_unit_of_work(step)

    def _wish(self, money: Money, provider: str) -> UUID:
        actor = Actor(self.person, "customer", None, None)
        with unit_of_work() as session:
            return services.request_deposit(
                session, actor=actor, amount=money, provider=provider, request_id=uuid4()
            )


def books(trade: Trade, *, clock: Callable[..., object] | None = None) -> list[Books]:
    """Both providers', asked two hours from now, so that nothing is young."""
    asked: list[Asked] = [Cards(trade.card), Coins(trade.crypto)]
    return [Books(each, clock=clock or (lambda: utcnow() + LATER)) for each in asked]


def look(trade: Trade, **more: Any) -> Any:
    """A whole run over all that has happened."""
    now = utcnow()
    window = Window(now - timedelta(days=1), now + LATER)
    return reconcile(*books(trade, **more), window=window)


def found(run: Any) -> list[tuple[str, str, str | None, str]]:
    """What a run names, of the outside."""
    rows = db.session.execute(
        text(
            "select d.kind, d.check_name, d.their_ref, d.words from reconciliation_difference d "
            "join reconciliation_finding f on f.difference_id = d.id "
            "where f.run_id = :run_id and d.side = 'outside' order by d.id"
        ),
        {"run_id": run.id},
    )
    return [(each.kind, each.check_name, each.their_ref, each.words) for each in rows]
