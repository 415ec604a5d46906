"""Signing in with a password: every try is counted before the password is looked at.

Tries at one account are counted together, wherever they come from, so that strangers could keep its owner out by
failing on purpose. A browser in which the owner has signed in before therefore has a count of its own. Whether there
is such an account makes no difference to any of this.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from advancia import audit
from advancia.core import outbox
from advancia.core.addresses import counted_as
from advancia.core.clock import utcnow
from advancia.core.db import Session
from advancia.core.jobs import Job
from advancia.identity.errors import SignInLocked
from advancia.identity.services import limits
from advancia.identity.services.limits import Counter, Limit
from advancia.identity.sessions import devices

WINDOW = timedelta(minutes=15)
BY_ADDRESS = Limit("sign_in.address", allowed=5, window=WINDOW)
BY_ACCOUNT = Limit("sign_in.account", allowed=5, window=WINDOW)
BY_DEVICE = Limit("sign_in.device", allowed=5, window=WINDOW)
# NIST SP 800-63B-4, 3.2.2: at most a hundred in a row at one account, then the password is looked at no more. Its
# known devices have a fifth of them for themselves, or strangers could use up all.
STRANGERS_IN_ALL = Limit("sign_in.in_all", allowed=80, window=None, refusal=SignInLocked)
DEVICES_IN_ALL = Limit("sign_in.devices_in_all", allowed=20, window=None, refusal=SignInLocked)
NOBODY = "nobody"
PATIENCE = timedelta(seconds=30)  # the try that uses up the count may yet turn out to be right


@dataclass(frozen=True)
class Attempt:
    """A try at signing in that is counted as failed until it is marked as good."""

    email: str
    by_known_device: bool
    tries: list[int]


def begin_attempt(session: Session, *, email: str, address: str | None, device: str | None) -> Attempt:
    """Write down that somebody tries to sign in as `email`; `device` is the token of the browser's device, if any.

    Raises `TooManyTries` when the address, or the account, has used up its five in fifteen minutes, and `SignInLocked`
    when too many in a row have failed at the account. A refused try is not counted itself.
    """
    email = email.lower()
    known = _is_trusted(session, email, device)
    tries = limits.take(session, *_counters(email, address, device if known else None))
    if not known and limits.count(session, STRANGERS_IN_ALL, email) == STRANGERS_IN_ALL.allowed:
        outbox.put(session, Job.TELL_OF_LOCK, available_at=utcnow() + PATIENCE, email=email)
    return Attempt(email, by_known_device=known, tries=tries)


def mark_succeeded(session: Session, *, attempt: Attempt) -> None:
    """The password was right: the try no longer counts, nor do the failures in a row before it.

    A success in a known device says nothing about the strangers who fail elsewhere.
    """
    limits.give_back(session, attempt.tries)
    limits.forget(session, (DEVICES_IN_ALL, attempt.email))
    if not attempt.by_known_device:
        limits.forget(session, (STRANGERS_IN_ALL, attempt.email))


def take_back(session: Session, *, attempt: Attempt) -> None:
    """The password could not be looked at: the try counts as if it had never been."""
    limits.give_back(session, attempt.tries)


def note_failure(session: Session, *, user_id: int | None, address: str | None) -> None:
    """Write into the audit trail that a password was wrong; whose address nobody has is not kept there for good."""
    audit.record_of_stranger(
        session, address=address, action="sign_in.failed", kind="user", id=user_id or NOBODY
    )


def is_locked(session: Session, *, email: str) -> bool:
    """Whether no password is looked at any more for that address, except in its owner's known devices."""
    return limits.count(session, STRANGERS_IN_ALL, email) >= STRANGERS_IN_ALL.allowed


def unlock(session: Session, *, email: str) -> None:
    """Begin all counts of the account anew, since its password is a new one."""
    email = email.lower()
    limits.forget(session, *((limit, email) for limit in (BY_ACCOUNT, STRANGERS_IN_ALL, DEVICES_IN_ALL)))


def _is_trusted(session: Session, email: str, device: str | None) -> bool:
    is_known = devices.is_known(session, email=email, token=device)
    return is_known and limits.count(session, DEVICES_IN_ALL, email) < DEVICES_IN_ALL.allowed


def _counters(email: str, address: str | None, device: str | None) -> list[Counter]:
    counters: list[Counter] = []
    if counted := counted_as(address):
        counters.append((BY_ADDRESS, counted))
    if device:
        return [*counters, (DEVICES_IN_ALL, email), (BY_DEVICE, f"{email}:{devices.name_of(device)}")]
    return [*counters, (STRANGERS_IN_ALL, email), (BY_ACCOUNT, email)]
