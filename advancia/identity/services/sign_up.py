"""Signing up: a claim on an address, a code by mail that proves it, and then a person."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from advancia.core import outbox
from advancia.core.addresses import counted_as
from advancia.core.clock import utcnow
from advancia.core.db import Session
from advancia.core.jobs import Job
from advancia.identity.errors import TooManyCodes
from advancia.identity.models import SignUp, User
from advancia.identity.services import limits
from advancia.identity.services.limits import Limit

CODE_DIGITS = 6
CODE_VALID_FOR = timedelta(minutes=10)
WRONG_CODES_ALLOWED = 5
SENDS = Limit(
    "code_send",
    allowed=5,
    window=timedelta(minutes=10),
    lock=timedelta(minutes=30),
    refusal=TooManyCodes,
)
# Each of them costs a hash and a mail to somebody who may not want it.
SIGN_UPS = Limit("sign_up.address", allowed=20, window=timedelta(hours=1))
SHORTEST_HANDLE = 3

WRONG_CODE = "That code is not right. Check the newest mail from us, or ask for a new code."
OLD_CODE = "That code is no longer valid. Ask for a new one."


@dataclass(frozen=True)
class Verification:
    """How checking a code ended: with the new person's id, or with a refusal in words."""

    user_id: int | None = None
    refusal: str | None = None


def begin_sign_up(session: Session, *, email: str, address: str | None) -> list[int]:
    """Count that `address` signs up and has a code sent to `email`; return the tries, to be given back if it fails.

    To be committed before the password is hashed, so that a storm of sign-ups cannot keep the hashing busy.
    Raises `TooManyCodes`, `TooManyTries`.
    """
    by_address = [(SIGN_UPS, counted)] if (counted := counted_as(address)) else []
    return limits.take(session, *by_address, (SENDS, email.lower()))


def sign_up(
    session: Session, *, key: str, email: str, name: str, password_hash: str, terms_version: str
) -> UUID:
    """Note the claim on `email`, mail its owner, and return the sign-up's id.

    Nothing here, nor the time it takes, tells whether the address has an account: if it has, its owner is told by
    mail that somebody tried, and no code will open this sign-up. `key` is the secret that codes are hashed with.
    The code was counted by `begin_sign_up`.
    """
    email = email.lower()
    exists = session.scalar(select(User.id).where(User.email == email)) is not None
    claim = SignUp(
        email=email,
        name=name,
        password_hash=password_hash,
        terms_version=terms_version,
        terms_accepted_at=utcnow(),
        user_exists=exists,
    )
    session.add(claim)
    session.flush()
    _send_code(session, claim, key=key)
    return claim.id


def send_new_code(session: Session, *, key: str, sign_up_id: UUID) -> None:
    """Mail a fresh code; the one before stops working. Raises `TooManyCodes`."""
    claim = session.get(SignUp, sign_up_id, with_for_update=True)
    if claim is None or claim.verified_at is not None:
        return
    limits.take(session, (SENDS, claim.email))
    _send_code(session, claim, key=key)


def verify(session: Session, *, key: str, sign_up_id: UUID, code: str) -> Verification:
    """Turn the sign-up into a person if `code` is the right one.

    A refusal is returned and not raised, for the wrong try must be counted in this same unit of work.
    """
    claim = session.get(SignUp, sign_up_id, with_for_update=True)
    if (
        claim is None
        or claim.verified_at is not None
        or claim.code_hash is None
        or claim.code_expires_at is None
    ):
        return Verification(refusal=OLD_CODE)
    if claim.code_expires_at <= utcnow() or claim.wrong_codes >= WRONG_CODES_ALLOWED:
        return Verification(refusal=OLD_CODE)
    if not hmac.compare_digest(claim.code_hash, _code_hash(key, claim.id, code)) or claim.user_exists:
        claim.wrong_codes += 1
        return Verification(refusal=WRONG_CODE if claim.wrong_codes < WRONG_CODES_ALLOWED else OLD_CODE)
    claim.verified_at = utcnow()
    claim.code_hash = None
    user_id = create_user(
        session,
        email=claim.email,
        name=claim.name,
        password_hash=claim.password_hash,
        terms_version=claim.terms_version,
        terms_accepted_at=claim.terms_accepted_at,
    )
    return Verification(user_id=user_id) if user_id else Verification(refusal=OLD_CODE)


def create_user(
    session: Session,
    *,
    email: str,
    name: str,
    password_hash: str,
    terms_version: str,
    terms_accepted_at: datetime,
    role: str = "customer",
) -> int | None:
    """Create the person with a handle made of the name; `None` if the address has an account by now."""
    for handle in _handles(name):
        user_id: int | None = session.scalar(
            insert(User)
            .values(
                email=email.lower(),
                handle=handle,
                name=name,
                password_hash=password_hash,
                role=role,
                terms_version=terms_version,
                terms_accepted_at=terms_accepted_at,
            )
            .on_conflict_do_nothing()
            .returning(User.id)
        )
        if user_id is not None:
            return user_id
        if session.scalar(select(User.id).where(User.email == email.lower())) is not None:
            return None
    raise RuntimeError("No free handle was found in many tries.")


def _send_code(session: Session, claim: SignUp, *, key: str) -> None:
    """Mail the code, or that there is an account. What the stranger typed, such as a name, is not in these mails.

    Anybody may have them sent to anybody, and would have us deliver their words.
    """
    # A claim on an address with an account has its code as well, so that a wrong one gets the same answers.
    code = "".join(secrets.choice("0123456789") for _ in range(CODE_DIGITS))
    claim.code_hash = _code_hash(key, claim.id, code)
    claim.code_expires_at = utcnow() + CODE_VALID_FOR
    claim.wrong_codes = 0
    # To encrypt a secret takes time, so both mails have one, though only the code's is any good.
    template, secret = ("account_exists", "filling") if claim.user_exists else ("verify_code", "code")
    outbox.put(
        session,
        Job.SEND_EMAIL,
        template=template,
        to=claim.email,
        facts={"minutes": int(CODE_VALID_FOR.total_seconds() // 60)},
        secret={secret: code},
    )


def _code_hash(key: str, sign_up_id: UUID, code: str) -> bytes:
    return hmac.digest(key.encode(), f"sign-up:{sign_up_id}:{code}".encode(), hashlib.sha256)


def _handles(name: str) -> list[str]:
    """Handles to try, the plainest first: `amara_okafor`, then with figures behind it."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9]+", "_", ascii_name).strip("_").lstrip("0123456789_")[:20].rstrip("_")
    if len(base) < SHORTEST_HANDLE:
        base = "member"
    return [base, *(f"{base}{secrets.randbelow(10**digits)}" for digits in (2, 3, 4, 6, 8, 8))]
