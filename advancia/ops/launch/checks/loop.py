"""The loop of a customer, gone through by two canaries: sign up, pay in, send, and leave nothing behind."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from uuid import uuid4

import httpx
from sqlalchemy import func, select

from advancia import audit, ledger
from advancia.core.db import unit_of_work
from advancia.core.money import Money
from advancia.ops.launch.canary import Canary, StepFailed
from advancia.ops.launch.look import Look
from advancia.ops.launch.registry import Finding, Weight, check, fine, unknown, wrong
from advancia.payments.models import Deposit, Refund

PAID_IN, SENT = Money.of("10.00", "USD"), Money.of("0.01", "USD")
LATELY = timedelta(days=30)
REASON = "Launch check: what a canary was left with"
REMEDY = "Go through the same steps in a browser, and see the log of the web process and the worker."
NO_MONEY = (
    "Send a cent in USD to keeper@canary.example from a customer's account, and run this again: the canaries pass it "
    "to and fro."
)
NO_DEPOSIT = "Pay in a small amount yourself, see it arrive in the wallet, and refund it under Payments."


@check("A customer can sign up, pay in and send", weight=Weight.BLOCKER)
def canary_loop(look: Look) -> Finding:
    loop = Loop(look)
    stopped = None
    try:
        loop.go_through()
    except (StepFailed, httpx.HTTPError) as trouble:
        stopped = str(trouble) or type(trouble).__name__
    finally:
        loop.end()
    if stopped is not None or loop.left:
        left = f" {loop.left} was left with the canaries: roll it back by hand." if loop.left else ""
        return wrong(f"{stopped or 'It could not all be undone'}. Done: {loop.told}.{left}", REMEDY)
    if loop.open:
        return unknown(f"Done: {loop.told}. Not looked at: {', '.join(loop.open)}.", " ".join(loop.remedies))
    return fine(f"Done: {loop.told}. All was undone, and the newcomer's account closed.")


class Loop:
    """One way through. What was done stands in `done`, what could not be looked at in `open` with its remedy."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self.newcomer, self.keeper = Canary.newcomer(look), Canary.keeper(look)
        self.before = self.keeper.has(SENT)
        self.done: list[str] = []
        self.open: list[str] = []
        self.remedies: list[str] = []
        self._to_reverse: list[str] = []
        self._to_refund: str | None = None
        self.left: Money | None = None

    @property
    def told(self) -> str:
        return ", ".join(self.done) or "nothing"

    def go_through(self) -> None:
        """Raises `StepFailed`, and `httpx.HTTPError` when nobody answers."""
        self.newcomer.sign_up()
        self.done.append("signed up with the code from the mail")
        self.keeper.sign_in()
        if self.look.settings.is_sandboxed:
            self._pay_in()
            self._send_there_and_back(self.newcomer, self.keeper)
            self._give_back()
        else:
            self._look_for_a_deposit()
            self._send_what_there_is()

    def end(self) -> None:
        """Undo what the way through has left undone, and have both leave, the newcomer for good."""
        with suppress(StepFailed, httpx.HTTPError):
            self._undo()
        self.newcomer.leave()
        self.keeper.leave()
        self.newcomer.close()
        has = self.newcomer.has(SENT) + self.keeper.has(SENT)
        self.left = has - self.before if has != self.before else None

    def _pay_in(self) -> None:
        page = self.newcomer.pay_in(PAID_IN, provider="sandbox")
        self._at_the_provider(page, "pay")
        if self.look.eventually(self._credited) is None:
            raise StepFailed(f"The payment was not credited within {self.look.patience:.0f} seconds")
        self._to_refund = page
        self.done.append(f"paid in {PAID_IN} at the sandbox, credited on its webhook")

    def _give_back(self) -> None:
        """At the provider, as somebody there may; its webhook has it booked."""
        page, self._to_refund = self._to_refund, None
        self._at_the_provider(page or "", "refund")
        if self.look.eventually(self._refunded) is None:
            raise StepFailed(f"The refund was not booked within {self.look.patience:.0f} seconds")
        self.done.append("refunded there, booked on its webhook")

    def _at_the_provider(self, page: str, outcome: str) -> None:
        answer = httpx.post(page, data={"outcome": outcome}, trust_env=False)
        if answer.is_error:
            raise StepFailed(f"The sandbox answered {answer.status_code}")

    def _send_there_and_back(self, first: Canary, second: Canary) -> None:
        there = first.send(SENT, to=second.email)
        self._to_reverse.append(there)
        if second.has(SENT) < SENT:
            raise StepFailed("What was sent did not arrive")
        second.send(SENT, to=first.email)
        self._to_reverse.remove(there)
        self.done.append(f"sent {SENT} to another canary and back")

    def _send_what_there_is(self) -> None:
        if self.before < SENT:
            self.open.append("sending, for want of money")
            self.remedies.append(NO_MONEY)
            return
        self._send_there_and_back(self.keeper, self.newcomer)

    def _look_for_a_deposit(self) -> None:
        """Nobody is charged for a check: with live keys a real customer's payment has to do."""
        since = self.look.now() - LATELY
        is_real = (Deposit.paid_at > since, ~Deposit.provider.startswith("sandbox"))
        last = self.look.session.scalar(select(func.max(Deposit.paid_at)).where(*is_real))
        if last is None:
            self.open.append("paying in, since live keys would charge a card and no payment came lately")
            self.remedies.append(NO_DEPOSIT)
        else:
            self.done.append(f"a real payment was credited on {last:%Y-%m-%d}")

    def _undo(self) -> None:
        """What a step that failed has left with one of them goes back where it came from."""
        for reference in self._to_reverse:
            with unit_of_work() as session:
                undone = ledger.reverse(
                    session,
                    transaction_reference=reference,
                    reference=f"rollback:{uuid4()}",
                    reason=REASON,
                    kind="rollback",
                )
                audit.record_of_system(
                    session,
                    action="transaction.rolled_back",
                    kind="transaction",
                    id=undone.txn_id,
                    reason=REASON,
                )
        if self._to_refund is not None:
            self._give_back()

    def _credited(self) -> bool | None:
        return True if self.newcomer.has(PAID_IN) == PAID_IN else None

    def _refunded(self) -> bool | None:
        refunds = select(Refund.id).join(Deposit, Deposit.id == Refund.deposit_id)
        booked = self.look.session.scalar(refunds.where(Deposit.user_id == self.newcomer.user_id).limit(1))
        return True if booked is not None and not self.newcomer.has(PAID_IN) else None
