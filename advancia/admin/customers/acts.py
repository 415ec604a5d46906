"""What staff may do to a customer's account: each act says in words what it does, before it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from advancia.admin.customers import services
from advancia.admin.customers.queries import Customer
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.core.permissions import Permission
from advancia.identity.recovery import factor_reset
from advancia.identity.services import suspension

Deed = Callable[[Session, Actor, int, str], str]


@dataclass(frozen=True)
class Act:
    """One thing to do: `path` in the customer's address, the words before and on the button, and the doing itself.

    The deed returns the sentence that tells what was done; it may raise a `DomainError` that says why not.
    """

    path: str
    permission: Permission
    title: str
    effects: tuple[str, ...]
    button: str
    deed: Deed
    fits: Callable[[Customer], bool]


def _suspend(session: Session, actor: Actor, user_id: int, reason: str) -> str:
    suspension.suspend(session, actor=actor, user_id=user_id, reason=reason)
    return "Suspended. Their sessions have ended and their money stands still."


def _reinstate(session: Session, actor: Actor, user_id: int, reason: str) -> str:
    suspension.reinstate(session, actor=actor, user_id=user_id, reason=reason)
    return "Reinstated. They can sign in again."


def _end_sessions(session: Session, actor: Actor, user_id: int, reason: str) -> str:
    ended = services.end_sessions(session, actor=actor, user_id=user_id, reason=reason)
    return f"{ended} session{'' if ended == 1 else 's'} ended."


def _reset_factor(session: Session, actor: Actor, user_id: int, reason: str) -> str:
    ready_at = factor_reset.begin(session, actor=actor, user_id=user_id, reason=reason)
    return f"Begun. They can finish it from {ready_at:%-d %B, %H:%M} UTC on, by the link in their mail."


SUSPEND = Act(
    path="suspension",
    permission=Permission.SUSPEND,
    title="Suspend",
    effects=(
        "Every session of theirs ends now, and they cannot sign in.",
        "Nothing can be sent from their account or to it. Payments that are already on the way in are still booked.",
        "They get a mail that says so, without your reason.",
    ),
    button="Suspend",
    deed=_suspend,
    fits=lambda customer: customer.suspended_at is None,
)
REINSTATE = Act(
    path="reinstatement",
    permission=Permission.SUSPEND,
    title="Reinstate",
    effects=("They can sign in and move their money again.", "They get a mail that says so."),
    button="Reinstate",
    deed=_reinstate,
    fits=lambda customer: customer.suspended_at is not None,
)
END_SESSIONS = Act(
    path="sign-out",
    permission=Permission.END_SESSIONS,
    title="End all sessions",
    effects=(
        "They are signed out everywhere, now.",
        "They can sign in again at once with what they know and have.",
    ),
    button="End all sessions",
    deed=_end_sessions,
    fits=lambda _customer: True,
)
RESET_FACTOR = Act(
    path="factor-reset",
    permission=Permission.RESET_FACTOR,
    title="Begin a factor reset",
    effects=(
        "For somebody who has lost their second factor and all recovery codes. Make sure that it is they who ask.",
        "They get a mail now, with which they can stop it, and a day later one with which only they can finish it.",
        "Nobody here sees or sets a password or a code.",
    ),
    button="Begin the reset",
    deed=_reset_factor,
    fits=lambda customer: customer.second_factor_since is not None,
)
ACTS = (SUSPEND, REINSTATE, END_SESSIONS, RESET_FACTOR)
