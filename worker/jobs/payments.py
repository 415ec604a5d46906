"""What time does to deposits, and what has to be asked of providers without an event."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from flask import current_app

from advancia.core import log
from advancia.core.db import Session, db, in_unit_of_work, unit_of_work
from advancia.core.jobs import Job
from advancia.ledger import LedgerError
from advancia.payments import crediting, invoices, news, queries, services
from advancia.payments.errors import NotYet, WrongCheckout
from advancia.payments.news import News
from advancia.payments.refunds import services as refunds
from advancia.payments.refunds.services import ToSend
from advancia.providers.cryptomus import CryptoGateway
from advancia.providers.cryptomus_states import Meaning
from advancia.providers.stripe import CardGateway, CardRefund, ProviderError, ProviderRefused
from worker.tasks import Task, job

AT_ONCE = 20

_log = log.logger(__name__)


class FeeNotKnown(Exception):
    """The provider has not worked out yet what it keeps."""


@job(Job.EXPIRE_DEPOSITS)
def expire_deposits(task: Task) -> None:
    """Close the deposits whose time has run out, each after a last question to its provider.

    Its events may have been lost on the way or parked here: so what was paid after all is credited now, and a payment
    that is under way is waited for. Repeatable; whom the provider gives no answer about is asked again next time.
    """
    overdue = services.overdue(db.session(), limit=AT_ONCE)
    db.session.rollback()  # no transaction is open while the provider is asked
    away: set[str] = set()
    for each in overdue:
        if each.provider in away:
            continue
        try:
            _bring_to_an_end(each)
        except WrongCheckout as trouble:
            _log.error("deposit_left_open", deposit=str(each.deposit_id), trouble=str(trouble))
        except ProviderError as trouble:
            # Each of the others would wait for an answer as long, and the mails behind them.
            _log.warning("deposit_left_open", deposit=str(each.deposit_id), trouble=trouble.detail)
            away.add(each.provider)
    task.outcome = _asked("deposit", len(overdue), away)


@job(Job.BOOK_FEE)
def book_fee(task: Task, deposit_id: str) -> None:
    """Book what the provider kept of a payment, once it says so. Repeatable."""
    paid = queries.payment_of(db.session(), UUID(deposit_id))
    db.session.rollback()
    gateway = _card_gateway(paid.provider)
    if gateway is None:
        return
    fee = gateway.payment(paid.payment_id).fee
    if fee is None:
        raise FeeNotKnown
    with task.finish() as session:
        crediting.book_fee(session, reference=f"deposit:{deposit_id}:fee", provider=paid.provider, fee=fee)


@job(Job.SEND_REFUND)
def send_refund(task: Task, refund_id: str) -> None:
    """Send a refund to its provider and record how it stands.

    Safe to run twice, and to die between any two lines: whether an earlier try arrived is looked up by our id before
    anything is sent, under the same idempotency key. Network trouble is left to raise; a refusal is an answer.
    """
    with unit_of_work() as session:
        claimed = refunds.claim(session, UUID(refund_id))
    if claimed is None:
        return
    try:
        record = _sent(claimed)
    except ProviderRefused as refusal:
        with task.finish() as session:
            refunds.refuse(session, claimed.refund_id, refusal.detail)
        return
    with task.finish() as session:
        record(session)


@job(Job.CHASE_PAYMENTS)
def chase_payments(task: Task) -> None:
    """Ask about refunds and disputes that have not ended for a while: their events may have been lost. Repeatable."""
    unsettled = queries.unsettled_payments(db.session(), limit=AT_ONCE)
    db.session.rollback()
    away: set[str] = set()
    for provider, payment_id, what in unsettled:
        if provider in away:
            continue
        try:
            for step in _news_of(provider, what, payment_id).steps:
                in_unit_of_work(step)
        except (WrongCheckout, NotYet, LedgerError) as trouble:
            _log.error("payment_left_unsettled", payment=payment_id, trouble=str(trouble))
        except ProviderRefused as trouble:  # an answer about this one, such as from before the keys were set
            _log.warning("payment_left_unsettled", payment=payment_id, trouble=trouble.detail)
        except ProviderError as trouble:
            _log.warning("payment_left_unsettled", payment=payment_id, trouble=trouble.detail)
            away.add(provider)
    task.outcome = _asked("payment", len(unsettled), away)


def _asked(what: str, number: int, away: set[str]) -> str:
    """The outcome of a run that asks providers about several things."""
    if number == 0:
        return f"No {what} to ask about."
    left_alone = f" {', '.join(sorted(away))} did not answer." if away else ""
    return f"{number} {what}{'' if number == 1 else 's'} looked at.{left_alone}"


def _news_of(provider: str, what: str, payment_id: str) -> News:
    card, crypto = _card_gateway(provider), _crypto_gateway(provider)
    if card is not None:
        return news.of_payment(card, what, payment_id)
    return news.of_crypto(crypto, what, payment_id) if crypto is not None else News()


def _sent(claimed: ToSend) -> Callable[[Session], str]:
    """Send it, unless it is there; what to write down of it. Raises `ProviderRefused` when there will be none."""
    card, crypto = _card_gateway(claimed.provider), _crypto_gateway(claimed.provider)
    if card is not None:
        told = _sent_by_card(card, claimed)
        return lambda session: refunds.record(session, claimed.refund_id, told)
    if crypto is not None:
        _send_coins(crypto, claimed)
        return lambda session: refunds.accept(session, claimed.refund_id)
    raise RuntimeError(f"Nobody can give money back through {claimed.provider}.")


def _send_coins(gateway: CryptoGateway, claimed: ToSend) -> None:
    """An invoice is given back once, so its state tells whether an earlier try, or somebody else, was there before."""
    if claimed.was_sent and _goes_back(gateway, claimed):
        return
    try:
        gateway.give_back(claimed.payment_id, address=claimed.address or "")
    except ProviderRefused:
        if not _goes_back(gateway, claimed):
            raise


def _goes_back(gateway: CryptoGateway, claimed: ToSend) -> bool:
    return gateway.invoice(claimed.payment_id).meaning in (Meaning.RETURNING, Meaning.RETURNED)


def _sent_by_card(gateway: CardGateway, claimed: ToSend) -> CardRefund:
    if claimed.was_sent:
        for each in gateway.refunds_of(claimed.payment_id):
            if each.refund_id == claimed.refund_id:
                return each
    return gateway.give_back(
        refund_id=claimed.refund_id, payment_intent=claimed.payment_id, amount=claimed.amount
    )


def _bring_to_an_end(overdue: services.Overdue) -> None:
    is_open = True
    try:
        is_open = _last_word(overdue)
    except (
        ProviderRefused
    ) as unknown:  # it was never opened, or at the simulation, from before the keys were set
        _log.info("checkout_unknown", deposit=str(overdue.deposit_id), detail=unknown.detail)
    if is_open:
        with unit_of_work() as session:
            services.expire(session, overdue.deposit_id)


def _last_word(overdue: services.Overdue) -> bool:
    """Bring the deposit to what its provider says; tell whether nothing is paid or under way there.

    The answer to opening an invoice may have been lost, so one is looked for by our own id; a checkout cannot be, and
    nobody was led to it.
    """
    card, crypto = _card_gateway(overdue.provider), _crypto_gateway(overdue.provider)
    if card is not None and overdue.checkout_id is not None:
        checkout = card.retrieve_checkout(overdue.checkout_id)
        with unit_of_work() as session:
            services.settle(session, checkout=checkout)
        return checkout.is_open
    if crypto is not None:
        known = overdue.checkout_id
        invoice = crypto.invoice(known) if known is not None else crypto.invoice_of(overdue.deposit_id)
        with unit_of_work() as session:
            invoices.settle(session, invoice=invoice)
        return invoice.meaning is Meaning.WAITING
    return True


def _card_gateway(provider: str) -> CardGateway | None:
    gateway: CardGateway | None = current_app.extensions["gateway"]
    return gateway if gateway is not None and gateway.name == provider else None


def _crypto_gateway(provider: str) -> CryptoGateway | None:
    gateway: CryptoGateway | None = current_app.extensions["crypto_gateway"]
    return gateway if gateway is not None and gateway.name == provider else None
