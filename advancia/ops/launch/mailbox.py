"""The canaries' mailbox. Their mails are written by the worker like all others, and end here instead of at a server."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import uuid4

from sqlalchemy import delete, func, insert, or_, select

from advancia.core.db import Session
from advancia.core.encryption import Keyring
from advancia.identity import queries as people
from advancia.ops.launch.models import CanaryLetter
from advancia.providers.mail import Mail

COLUMN: Final = {"table": "canary_letter", "column": "text"}
KEPT = timedelta(hours=1)


def keep(session: Session, mail: Mail, *, keyring: Keyring) -> None:
    """Put a mail to a canary into the mailbox; but only codes are waited for, by who has not signed up yet."""
    if people.id_of(session, mail.to) is not None:
        return
    letter_id = uuid4()
    stored = keyring.encrypt(mail.text.encode(), **COLUMN, row=str(letter_id))
    session.execute(
        insert(CanaryLetter).values(id=letter_id, email=mail.to.lower(), subject=mail.subject, text=stored)
    )


def newest_to(session: Session, email: str, *, keyring: Keyring) -> str | None:
    """What the newest mail to that canary says; None while there is none."""
    letter = session.execute(
        select(CanaryLetter.id, CanaryLetter.text)
        .where(CanaryLetter.email == email)
        .order_by(CanaryLetter.arrived_at.desc())
        .limit(1)
    ).first()
    return None if letter is None else keyring.decrypt(letter.text, **COLUMN, row=str(letter.id)).decode()


def empty(session: Session, *emails: str) -> None:
    """Throw away what came for these canaries, and whatever has lain there for an hour."""
    old = CanaryLetter.arrived_at < func.now() - KEPT
    session.execute(delete(CanaryLetter).where(or_(CanaryLetter.email.in_(emails), old)))
