"""A deposit in its owner's words: where it stands, what comes next, and what has become of the money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from advancia.core.clock import utcnow
from advancia.core.money import Money
from advancia.core.versions import version_of
from advancia.payments import offers
from advancia.payments.standing import BACK, LOOKS, OVER, Look, Standing
from advancia.payments.wording import (
    CRYPTO_NEXT_STEP,
    DISPUTE_WORDS,
    NEXT_STEP,
    PARTLY_BACK,
    PAYING,
    REFUND_WORDS,
    ROLLED_BACK,
    SEND_THE_REST,
)
from advancia.providers.cryptomus import SHORTEST_LIFE, network_words
from advancia.providers.cryptomus_states import words_for
from advancia.wallet.queries import PROVIDER_WORDS

# Stripe opens no payment page that would close within half an hour.
CARD_OPENED_BEFORE = timedelta(minutes=31)
FINAL = ("paid", "failed", "expired", "returned")


@dataclass(frozen=True)
class Shares:
    """Where what was taken came from: so much from the wallet, and what was missing there is owed."""

    from_wallet: Money
    owed: Money

    @property
    def words(self) -> str:
        total = self.from_wallet + self.owed
        if not self.from_wallet:
            return f"{total} was not in your wallet any more, so you owe it to us."
        return f"Of {total}, {self.from_wallet} came from your wallet; you owe us the other {self.owed}."


@dataclass(frozen=True)
class RefundView:
    """A refund in the customer's words."""

    amount: Money
    state: str
    when: datetime

    @property
    def words(self) -> str:
        return REFUND_WORDS[self.state]


@dataclass(frozen=True)
class ProgressStep:
    """A step on the way of a payment: `state` is done, now, later or bad."""

    words: str
    state: str


@dataclass(frozen=True)
class DepositView:
    """A deposit in the customer's words.

    `reference` is that of its line in the history, once there is one. `goes_back`: staff or the provider have decided
    against crediting it. `says_paid`: the customer comes back from the provider's page by the way of those who have
    paid; anybody can write that address, so it changes words and never money.
    """

    id: UUID
    amount: Money
    provider: str
    state: str
    checkout_url: str | None
    failure: str | None
    created_at: datetime
    expires_at: datetime
    paid_at: datetime | None
    credited: Money | None = None
    provider_state: str | None = None
    network: str | None = None
    txid: str | None = None
    customer: str | None = None
    reference: str = ""
    goes_back: bool = False
    says_paid: bool = False
    rolled_back_by: str | None = None
    refunds: Sequence[RefundView] = field(default=())
    disputes: Sequence[str] = field(default=())  # their states
    owing: Sequence[Shares] = field(default=())  # of each refund and dispute that left a debt

    @property
    def is_crypto(self) -> bool:
        return self.provider in offers.CRYPTO

    @property
    def standing(self) -> Standing:
        """Where it stands, what came after the payment included."""
        if self.state == "paid":
            return self._standing_since_paid()
        if self.state == "pending":
            return self._standing_open()
        if self.state == "locked":
            return Standing.GOES_BACK if self.goes_back else Standing.CHECKED
        if self.state == "returned" and self.failure and not self.is_crypto:
            return Standing.TAKEN
        return Standing(self.state)

    @property
    def look(self) -> Look:
        return LOOKS[self.standing]

    @property
    def state_words(self) -> str:
        return self.look.words

    @property
    def next_step(self) -> str:
        if self.state == "paid":
            return self._since_paid()
        if self.standing is Standing.PAYING:
            return PAYING
        return self._crypto_next_step() if self.is_crypto else self._card_next_step()

    @property
    def debt_words(self) -> str | None:
        """What of a refund or a lost dispute was not there any more, so that it is owed."""
        return " ".join(shares.words for shares in self.owing) or None

    @property
    def arrival_words(self) -> str | None:
        """What to say when more or less came than was asked for."""
        if self.credited is None or self.credited == self.amount:
            return None
        than = "more" if self.credited > self.amount else "less"
        if self.standing in BACK:
            return f"You sent {than} than {self.amount}: {self.credited}."
        return f"You sent {than} than {self.amount}. What arrived is in your wallet: {self.credited}."

    @property
    def provider_words(self) -> str:
        return PROVIDER_WORDS.get(self.provider, self.provider)

    @property
    def way_words(self) -> str:
        """How it is paid, in a few words."""
        return "from a crypto wallet" if self.is_crypto else "by card"

    @property
    def network_words(self) -> str | None:
        return network_words(self.network) if self.network else None

    @property
    def is_final(self) -> bool:
        return self.state in FINAL

    @property
    def is_receipt(self) -> bool:
        """Whether money has come, of which the page is the receipt."""
        return self.credited is not None

    @property
    def is_under_way(self) -> bool:
        """Whether the customer has done their part, and the provider waits for their bank or the network."""
        return self.state == "pending" and self.checkout_url is None

    @property
    def is_urgent(self) -> bool:
        """Whether money of the customer's is there already that they cannot use yet."""
        return self.standing in (Standing.CHECKED, Standing.GOES_BACK, Standing.UNDERPAID)

    @property
    def open_until(self) -> datetime | None:
        """Until when the payment page can be used, while there is one to use."""
        is_over = self.is_final or self.is_under_way or self.state == "locked"
        return None if is_over or self.standing is Standing.PAYING else self.expires_at

    @property
    def can_retry(self) -> bool:
        """Whether the payment page stands open, or can still be opened."""
        left = self.open_until - utcnow() if self.open_until else timedelta()
        before = SHORTEST_LIFE if self.is_crypto else CARD_OPENED_BEFORE
        return left > (timedelta() if self.state == "pending" else before)

    @property
    def can_start_again(self) -> bool:
        """Whether nothing has come of it, and nothing will, so that the same may be asked for anew."""
        return self.standing in OVER or (self.state in ("created", "pending") and self._is_closed)

    @property
    def progress(self) -> list[ProgressStep]:
        """Where it stands, step by step."""
        stages = ["Started", f"Payment confirmed by {self.provider_words}", "In your wallet"]
        if self.is_crypto:
            stages = ["Started", "Seen on the network", "Confirmed by the network", "In your wallet"]
        if self.standing is Standing.UNDERPAID:
            stages = ["Started", "A part has arrived", "The rest has arrived", "In your wallet"]
        if self.state == "paid":
            done = [ProgressStep(words, "done") for words in stages]
            return done if self.standing is Standing.PAID else [*done, self._last_step]
        if self.standing in OVER:
            return [ProgressStep("Started", "done"), self._last_step]
        if self.standing in BACK:
            return [ProgressStep("Started", "done"), ProgressStep("Arrived", "done"), self._last_step]
        seen = self.standing in (Standing.UNDER_WAY, Standing.UNDERPAID, Standing.CHECKED)
        reached = 2 if self.is_crypto and seen else 1
        return [
            ProgressStep(words, "done" if place < reached else "now" if place == reached else "later")
            for place, words in enumerate(stages)
        ]

    @property
    def version(self) -> str:
        """Changes whenever the page would show something else."""
        return version_of(
            self.state, self.failure, self.checkout_url, self.can_retry, self.provider_state, self.txid,
            self.credited, self.refunds, self.disputes, self.standing, self.rolled_back_by, self.owing,
        )  # fmt: skip

    @property
    def _last_step(self) -> ProgressStep:
        tone = self.look.tone
        return ProgressStep(self.state_words, {"waiting": "now", "bad": "bad"}.get(tone, "done"))

    @property
    def _is_closed(self) -> bool:
        """Whether the payment page cannot be used any more, though we have not been told so yet."""
        return self.open_until is not None and not self.can_retry

    def _standing_open(self) -> Standing:
        if self.provider_state == "wrong_amount_waiting":
            return Standing.UNDERPAID
        if self.is_under_way:
            return Standing.UNDER_WAY
        return Standing.PAYING if self.says_paid and not self.failure else Standing.PENDING

    def _standing_since_paid(self) -> Standing:
        if self.disputes and self.disputes[-1] in ("open", "lost"):
            return Standing.DISPUTED if self.disputes[-1] == "open" else Standing.TAKEN
        if self.rolled_back_by:
            return Standing.ROLLED_BACK
        back = [refund for refund in self.refunds if refund.state != "failed"]
        if not back:
            return Standing.PAID
        if self.credited is not None and sum(refund.amount.minor for refund in back) < self.credited.minor:
            return Standing.PARTLY_BACK
        is_done = all(refund.state == "succeeded" for refund in back)
        return Standing.RETURNED if is_done else Standing.GOES_BACK

    def _since_paid(self) -> str:
        """What has become of a payment that arrived."""
        match self.standing:
            case Standing.ROLLED_BACK:
                return ROLLED_BACK
            case Standing.RETURNED:
                return "The payment has gone back to where it came from. Nothing of it is in your wallet."
            case Standing.GOES_BACK:
                return "The payment goes back to where it came from. It has left your wallet already."
            case Standing.PARTLY_BACK:
                return PARTLY_BACK
            case _:
                return DISPUTE_WORDS[self.disputes[-1]] if self.disputes else NEXT_STEP["paid"]

    def _card_next_step(self) -> str:
        if self.failure and self.state == "pending":
            return f"{self.failure} Nothing was charged. You can try another card on the payment page."
        if self.state == "created" and not self.can_retry:
            return NEXT_STEP["expired"]
        if self.failure and (self.state == "locked" or self.standing is Standing.TAKEN):
            return self.failure
        return NEXT_STEP["under way" if self.is_under_way else self.state]

    def _crypto_next_step(self) -> str:
        if self.standing is Standing.UNDERPAID:
            return f"{self.failure or 'Less than the amount has arrived.'} {SEND_THE_REST}"
        if self.state in ("pending", "locked") and self.provider_state not in (None, "check", "process"):
            return self.failure or words_for(self.provider_state or "")
        if self.state == "created" and not self.can_retry:
            return CRYPTO_NEXT_STEP["expired"]
        return CRYPTO_NEXT_STEP.get(self.state, NEXT_STEP[self.state])
