"""Mails that tell a person what happened to their account. Nobody can turn them off.

One template, and one table of words: what happened, and what to do if it was not they who did it.
"""

from __future__ import annotations

from enum import StrEnum

from advancia.core import outbox
from advancia.core.clock import utcnow
from advancia.core.db import Session
from advancia.core.jobs import Job
from advancia.identity import queries


class Notice(StrEnum):
    PASSWORD_CHANGED = "Your password was changed"  # noqa: S105 - words, not a password
    PASSWORD_RESET = "Your password was reset"  # noqa: S105 - as above
    EMAIL_CHANGED = "The address of your account was changed"
    FACTOR_ADDED = "A second factor was added to your account"
    FACTOR_REPLACED = "A second factor of your account was replaced"
    FACTOR_REMOVED = "A second factor was removed from your account"
    RECOVERY_CODES_MADE = "You have new recovery codes"
    RECOVERY_CODE_USED = "A recovery code was used"
    FACTOR_RESET_CANCELLED = "The reset of your second factor was cancelled"
    FACTOR_RESET_DONE = "Your second factor was reset"
    NEW_DEVICE = "A new device signed in to your account"
    SIGN_IN_LOCKED = "Signing in to your account is locked for a while"
    PASSWORD_LOCKED = "Too many wrong passwords were tried for your account"  # noqa: S105 - as above
    SUSPENDED = "Your account is suspended"
    REINSTATED = "Your account is open again"
    ROLE_CHANGED = "Your role was changed"


BY_STAFF = (
    Notice.SUSPENDED,
    Notice.REINSTATED,
    Notice.ROLE_CHANGED,
)  # so that it was not the person, for sure


def tell(
    session: Session,
    *,
    user_id: int,
    notice: Notice,
    to: str | None = None,
    address: str | None = None,
    lines: tuple[tuple[str, str], ...] = (),
    sentence: str = "",
    link: tuple[str, str] | None = None,
) -> None:
    """Mail the person what happened, once the caller's unit of work is committed.

    `to` is where to send it if not to the account's address, `address` the network address it was done from, `lines`
    further facts as label and text, `sentence` says more in words, and `link` is an address with its words.
    """
    person = queries.person(session, user_id)
    where = (("From the address", address),) if address else ()
    when = f"{utcnow():%-d %B %Y, %H:%M} UTC"
    outbox.put(
        session,
        Job.SEND_EMAIL,
        template="security_notice",
        to=to or person.email,
        facts={
            "name": person.name,
            "title": notice.value,
            "sentence": sentence,
            "by_staff": notice in BY_STAFF,
            "lines": [["When", when], *(list(each) for each in (*lines, *where))],
        },
        secret={"link": list(link)} if link else {"link": None},
    )
