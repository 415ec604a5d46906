"""A canary: somebody who uses the product over the network, as customers do, for one run of the launch check.

The newcomer signs up anew in each run. The keeper has been here since the first one, gets what the newcomer sends, and
keeps what they are to send to each other where nothing can be paid in. Passwords are drawn by lot for each run.
"""

from __future__ import annotations

import re
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, Self

import httpx
from sqlalchemy import select, update

from advancia import audit, ledger
from advancia.core import canaries
from advancia.core.clock import utcnow
from advancia.core.db import Session, unit_of_work
from advancia.core.encryption import Keyring
from advancia.core.money import Money
from advancia.identity.models import User
from advancia.identity.recovery import credentials
from advancia.identity.services import passwords, sign_up
from advancia.identity.sessions import services as sessions
from advancia.ops.launch import mailbox, probes
from advancia.ops.launch.browser import Browser, FormNotFound
from advancia.ops.launch.look import Look
from advancia.web.public import TERMS_VERSION

KEEPER: Final = canaries.address_of("keeper")
NOTE: Final = "Launch check"
CLOSED_BECAUSE: Final = "Launch check: the canary has come to its end"
CODE = re.compile(r"\b[0-9]{6}\b")


class StepFailed(Exception):
    """The loop came no further; the text says where, and what was answered."""


@dataclass
class Canary:
    """One of the two, in a browser of their own."""

    look: Look
    email: str
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @classmethod
    def newcomer(cls, look: Look) -> Self:
        return cls(look, canaries.address_of(f"newcomer-{secrets.token_hex(8)}"))

    @classmethod
    def keeper(cls, look: Look) -> Self:
        """The one who stays, with a fresh password; made when there is none yet."""
        keeper = cls(look, KEEPER)
        password_hash = passwords.hashed(keeper.password)
        with unit_of_work() as session:
            _keeper_is_there(session, password_hash)
        return keeper

    def __post_init__(self) -> None:
        self.browser = Browser(self.look.stranger())

    @property
    def user_id(self) -> int | None:
        found: int | None = self.look.session.scalar(select(User.id).where(User.email == self.email))
        self.look.session.rollback()
        return found

    def sign_up(self) -> None:
        """Sign up, prove the address by the code in the mail, and be signed in."""
        answer = self._did(
            "sign up", "/signup", email=self.email, name=canaries.NAME, password=self.password, terms="y"
        )
        letter = self.look.eventually(self._letter)
        code = CODE.search(letter or "")
        if code is None:
            raise StepFailed(f"No mail with a code was written within {self.look.patience:.0f} seconds")
        self._did("prove the address", answer.headers["Location"], code=code[0])
        self._sees("/wallet")

    def sign_in(self) -> None:
        self._did("sign in", "/login", email=self.email, password=self.password)
        self._sees("/wallet")

    def pay_in(self, amount: Money, *, provider: str) -> str:
        """Ask to pay in and give the address of the provider's page."""
        asked = self._did(
            "pay in", "/deposits/new", amount=amount.plain, asset=amount.asset.code, provider=provider
        )
        return asked.headers["Location"]

    def send(self, amount: Money, *, to: str) -> str:
        """Send, by form and review; give the reference that it is booked under."""
        asked = self._did(
            "send", "/transfers/new", recipient=to, amount=amount.plain, asset=amount.asset.code, note=NOTE
        )
        sent = self._did("sign the transfer", asked.headers["Location"], recipient=to)
        return "transfer:" + sent.headers["Location"].rpartition("/")[2]

    def has(self, amount: Money) -> Money:
        """What of that asset the books say is available to them."""
        user_id = self.user_id
        if user_id is None:
            return Money.zero(amount.asset)
        there = ledger.balance(self.look.session, ledger.available(user_id), amount.asset)
        self.look.session.rollback()
        return there

    def close(self) -> None:
        """Close the accounts of all newcomers, with those of runs that were broken off; the keeper stays."""
        newcomers = canaries.are_canaries(User.email) & (User.email != KEEPER) & User.suspended_at.is_(None)
        with unit_of_work() as session:
            closed = session.scalars(
                update(User).where(newcomers).values(suspended_at=utcnow()).returning(User.id)
            ).all()
            for user_id in closed:
                audit.record_of_system(
                    session, action="canary.closed", kind="user", id=user_id, reason=CLOSED_BECAUSE
                )

    def leave(self) -> None:
        """Sign out, and see to it that nothing is left behind: no session, no mail, no count of tries."""
        with suppress(httpx.HTTPError), self.browser:  # the sessions are ended below in any case
            self.browser.sign_out()
        user_id = self.user_id
        with unit_of_work() as session:
            if user_id is not None:
                sessions.end_all(session, user_id=user_id)
            mailbox.empty(session, self.email)
            probes.forget(session, email=self.email)

    def _letter(self) -> str | None:
        keyring: Keyring = self.look.app.extensions["keyring"]
        return mailbox.newest_to(self.look.session, self.email, keyring=keyring)

    def _did(self, what: str, address: str, **typed: str) -> httpx.Response:
        """Fill in and send the form at that address. Raises `StepFailed` unless it leads on."""
        try:
            answer = self.browser.submit(address, **typed)
        except FormNotFound as trouble:
            raise StepFailed(f"To {what}: {trouble}") from trouble
        if answer.status_code != HTTPStatus.SEE_OTHER:
            raise StepFailed(f"To {what} was answered {answer.status_code}")
        return answer

    def _sees(self, address: str) -> None:
        answer = self.browser.open(address)
        if answer.status_code != HTTPStatus.OK:
            raise StepFailed(f"{address} answered {answer.status_code}")


def _keeper_is_there(session: Session, password_hash: str) -> None:
    user_id = (
        sign_up.create_user(
            session,
            email=KEEPER,
            name=canaries.NAME,
            password_hash=password_hash,
            terms_version=TERMS_VERSION,
            terms_accepted_at=utcnow(),
        )
        or session.scalars(select(User.id).where(User.email == KEEPER)).one()
    )
    credentials.set_password(session, user_id=user_id, password_hash=password_hash, stands_alone=True)
    session.execute(update(User).where(User.id == user_id).values(terms_version=TERMS_VERSION))
