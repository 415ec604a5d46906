"""Recovery codes: ten at a time, shown once, each good for one proof in the place of a lost factor."""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata

from sqlalchemy import delete, func, select, update

from advancia import audit
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.identity import notices
from advancia.identity.factors.models import RecoveryCode
from advancia.identity.factors.services import account
from advancia.identity.notices import Notice

HOW_MANY = 10
FEW_LEFT = 3
# Nothing that looks like something else: no 0 O, 1 I L, 2 Z, 5 S, 8 B, and no U V.
ALPHABET = "34679ACDEFGHJKMNPQRTWXY"
# Of 23 signs: 113 bits. From 112 on, nobody guesses one even with the hashes at hand (NIST SP 800-63B-4, 3.1.2.2), so
# they need no key, whose change would lock out whoever kept codes.
LENGTH = 25
GROUP = 5
LONGEST_TYPED = 8 * LENGTH  # composing takes long for longer texts
FORM = re.compile(f"^[{ALPHABET}]{{{LENGTH}}}$")


def plain(typed: str | None) -> str:
    """A code as it is typed, without spaces and hyphens, in capitals; of what is far too long, the beginning."""
    normal = unicodedata.normalize("NFKC", (typed or "")[:LONGEST_TYPED]).upper()
    return "".join(char for char in normal if not char.isspace() and unicodedata.category(char) != "Pd")


def readable(code: str) -> str:
    """In groups of five: `4K7QM-3XD9R-TAHW6-NPC7E-GJ4XY`."""
    return "-".join(code[start : start + GROUP] for start in range(0, len(code), GROUP))


def make(session: Session, *, actor: Actor) -> list[str]:
    """Make ten codes in the place of all before, tell the person, and return them readable, for the only time."""
    account.lock(session, actor.user_id)
    replaced = session.execute(
        delete(RecoveryCode).where(RecoveryCode.user_id == actor.user_id).returning(RecoveryCode.id)
    ).all()
    codes = ["".join(secrets.choice(ALPHABET) for _ in range(LENGTH)) for _ in range(HOW_MANY)]
    session.add_all(
        RecoveryCode(user_id=actor.user_id, code_hash=_hash(actor.user_id, code)) for code in codes
    )
    sentence = "The codes that you had before no longer work." if replaced else ""
    notices.tell(
        session,
        user_id=actor.user_id,
        notice=Notice.RECOVERY_CODES_MADE,
        address=actor.address,
        sentence=sentence,
    )
    audit.record(session, actor, action="recovery_codes.make", kind="user", id=actor.user_id)
    return [readable(code) for code in codes]


def accept(session: Session, *, actor: Actor, code: str) -> bool:
    """Whether `code` is one of the person's that was not used yet. It is used up, and the person is told."""
    used = session.scalar(
        update(RecoveryCode)
        .where(
            RecoveryCode.user_id == actor.user_id,
            RecoveryCode.code_hash == _hash(actor.user_id, code),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=func.now())
        .returning(RecoveryCode.id)
    )
    if used is None:
        return False
    left = _left(session, actor.user_id)
    _tell_of_use(session, actor, left)
    audit.record(
        session, actor, action="recovery_codes.use", kind="user", id=actor.user_id, after={"left": left}
    )
    return True


def are_current(session: Session, *, user_id: int, codes: list[str]) -> bool:
    """Whether these are exactly the codes that the person can use now."""
    hashes = session.scalars(
        select(RecoveryCode.code_hash).where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
    ).all()
    return bool(codes) and {_hash(user_id, plain(code)) for code in codes} == set(hashes)


def _left(session: Session, user_id: int) -> int:
    unused = select(func.count()).where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
    return session.scalars(unused).one()


def _tell_of_use(session: Session, actor: Actor, left: int) -> None:
    few = (
        f" Only {left} {'is' if left == 1 else 'are'} left: make new ones soon."
        if 0 < left <= FEW_LEFT
        else " It was the last one: make new ones now."
        if left == 0
        else ""
    )
    notices.tell(
        session,
        user_id=actor.user_id,
        notice=Notice.RECOVERY_CODE_USED,
        address=actor.address,
        lines=(("Codes left", str(left)),),
        sentence=f"It stood in for your second factor and cannot be used again.{few}",
    )


def _hash(user_id: int, code: str) -> bytes:
    return hashlib.sha256(f"recovery-code:{user_id}:{code}".encode()).digest()
