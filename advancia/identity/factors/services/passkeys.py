"""Passkeys: adding, naming and revoking them, and taking what they have signed.

A challenge is a row that is deleted when an answer to it comes, so it is answered once; it is bound to the flow that
asked for it, such as one session or one sign-in, and of no use in another.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from advancia import audit
from advancia.core import log
from advancia.core.clock import utcnow
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.core.errors import NotFound
from advancia.identity import notices, queries
from advancia.identity.factors.errors import PasskeyRefused
from advancia.identity.factors.models import Passkey, PasskeyChallenge
from advancia.identity.factors.services import account, webauthn
from advancia.identity.factors.services.webauthn import Registered, Site
from advancia.identity.notices import Notice

CHALLENGE_VALID_FOR = timedelta(minutes=5)
HANDLE_BYTES = 32
MOST = 20
KNOWN_ALREADY = "That passkey is registered already."
ENOUGH = f"You have {MOST} passkeys, which is as many as we keep. Remove one first."

_log = log.logger(__name__)


def begin_registration(session: Session, *, user_id: int, bound_to: str, site: Site) -> dict[str, Any]:
    """What the browser is asked to make for that person, as JSON values."""
    person = queries.person(session, user_id)
    rows = session.scalars(select(Passkey).where(Passkey.user_id == user_id)).all()
    handle = rows[0].user_handle if rows else secrets.token_bytes(HANDLE_BYTES)
    return webauthn.creation_options(
        site,
        challenge=_new_challenge(session, bound_to, user_handle=handle),
        user_handle=handle,
        email=person.email,
        name=person.name,
        known=[row.credential_id for row in rows],
    )


def register(
    session: Session, *, actor: Actor, session_id: int, bound_to: str, answer: str, name: str, site: Site
) -> None:
    """Add the passkey that the browser has made. The person is told; with the first factor, other sessions end.

    Raises `PasskeyRefused`.
    """
    account.lock(session, actor.user_id)
    if len(_ids_of(session, actor.user_id)) >= MOST:
        raise PasskeyRefused(ENOUGH)
    asked = _take_challenge(session, bound_to, answer)
    made = webauthn.registered(site, answer=answer, challenge=asked.challenge)
    added = _insert(session, made, user_id=actor.user_id, user_handle=asked.user_handle, name=name)
    account.added(session, user_id=actor.user_id, session_id=session_id)
    _tell(session, actor, Notice.FACTOR_ADDED, name)
    _note(session, actor, "factor.add", added, before=None, after=name)


def begin_proof(session: Session, *, user_id: int | None, bound_to: str, site: Site) -> dict[str, Any]:
    """What the browser is asked to sign, as JSON values; of nobody in particular, any passkey of ours will do."""
    known = _ids_of(session, user_id) if user_id is not None else []
    return webauthn.request_options(site, challenge=_new_challenge(session, bound_to), known=known)


def accept(session: Session, *, user_id: int | None, bound_to: str, answer: str, site: Site) -> int | None:
    """Whose passkey has signed what this flow asked for; `None` if none has, or it is not that person's.

    The challenge is used up in any case, so that an answer is looked at once.
    """
    try:
        asked = _take_challenge(session, bound_to, answer)
        passkey = _signer(session, user_id, answer)
        signed = webauthn.signed(
            site, answer=answer, challenge=asked.challenge, credential=passkey.credential
        )
        _advance(passkey, signed.sign_count)
    except PasskeyRefused:
        return None
    passkey.synced, passkey.last_used_at = signed.synced, utcnow()
    return passkey.user_id


def rename(session: Session, *, actor: Actor, passkey_id: UUID, name: str) -> None:
    """Raises `NotFound`."""
    passkey = _own(session, actor, passkey_id)
    before, passkey.name = passkey.name, name
    if before != name:
        _note(session, actor, "passkey.rename", passkey_id, before=before, after=name)


def revoke(session: Session, *, actor: Actor, session_id: int, passkey_id: UUID) -> None:
    """Take the passkey away. Other sessions end, and the person is told.

    Raises `NotFound`, and what `account.removed` raises.
    """
    account.lock(session, actor.user_id)
    name = _own(session, actor, passkey_id).name
    session.execute(delete(Passkey).where(Passkey.id == passkey_id))
    account.removed(session, actor=actor, session_id=session_id)
    _tell(session, actor, Notice.FACTOR_REMOVED, name)
    _note(session, actor, "factor.remove", passkey_id, before=name, after=None)


def _insert(session: Session, made: Registered, **owner: Any) -> UUID:
    """Raises `PasskeyRefused` when the passkey is somebody's already."""
    added: UUID | None = session.scalar(
        insert(Passkey)
        .values(
            id=uuid4(),
            credential_id=made.credential_id,
            credential=made.credential,
            sign_count=made.sign_count,
            synced=made.synced,
            **owner,
        )
        .on_conflict_do_nothing(index_elements=[Passkey.credential_id])
        .returning(Passkey.id)
    )
    if added is None:
        raise PasskeyRefused(KNOWN_ALREADY)
    return added


def _new_challenge(session: Session, bound_to: str, *, user_handle: bytes | None = None) -> bytes:
    challenge = secrets.token_bytes(webauthn.CHALLENGE_BYTES)
    session.add(
        PasskeyChallenge(
            challenge=challenge,
            bound_to=bound_to,
            user_handle=user_handle,
            expires_at=utcnow() + CHALLENGE_VALID_FOR,
        )
    )
    return challenge


def _take_challenge(session: Session, bound_to: str, answer: str) -> PasskeyChallenge:
    """The challenge that the answer is about, which nobody can answer again. Raises `PasskeyRefused`."""
    taken: PasskeyChallenge | None = session.scalar(
        delete(PasskeyChallenge)
        .where(
            PasskeyChallenge.challenge == webauthn.challenge_in(answer),
            PasskeyChallenge.bound_to == bound_to,
            PasskeyChallenge.expires_at > utcnow(),
        )
        .returning(PasskeyChallenge)
    )
    if taken is None:
        raise PasskeyRefused
    return taken


def _signer(session: Session, user_id: int | None, answer: str) -> Passkey:
    """The passkey that the answer says it is signed by, if that may prove the person. Raises `PasskeyRefused`."""
    chosen = select(Passkey).where(Passkey.credential_id == webauthn.credential_id_in(answer))
    passkey = session.scalar(chosen.with_for_update())
    handle = webauthn.user_handle_in(answer)
    if passkey is None or (user_id is not None and passkey.user_id != user_id):
        raise PasskeyRefused
    if handle != passkey.user_handle and (handle is not None or user_id is None):
        raise PasskeyRefused
    return passkey


def _advance(passkey: Passkey, sign_count: int) -> None:
    """Note how often the passkey has signed. A count that does not grow is a copy's. Raises `PasskeyRefused`."""
    if (sign_count or passkey.sign_count) and sign_count <= passkey.sign_count:
        _log.warning("passkey_copied", passkey=str(passkey.id), user_id=passkey.user_id)
        raise PasskeyRefused
    passkey.sign_count = sign_count


def _ids_of(session: Session, user_id: int) -> Sequence[bytes]:
    return session.scalars(select(Passkey.credential_id).where(Passkey.user_id == user_id)).all()


def _own(session: Session, actor: Actor, passkey_id: UUID) -> Passkey:
    passkey = session.scalar(
        select(Passkey).where(Passkey.id == passkey_id, Passkey.user_id == actor.user_id).with_for_update()
    )
    if passkey is None:
        raise NotFound
    return passkey


def _tell(session: Session, actor: Actor, notice: Notice, name: str) -> None:
    which = ("Which", f"Passkey “{name}”")
    notices.tell(session, user_id=actor.user_id, notice=notice, address=actor.address, lines=(which,))


def _note(
    session: Session, actor: Actor, action: str, passkey_id: UUID, *, before: str | None, after: str | None
) -> None:
    """Audit what became of the passkey's name; without one, there was or is no such passkey."""
    was, became = (
        {"factor": "Passkey", "id": str(passkey_id), "name": name} if name else None
        for name in (before, after)
    )
    audit.record(session, actor, action=action, kind="user", id=actor.user_id, before=was, after=became)
