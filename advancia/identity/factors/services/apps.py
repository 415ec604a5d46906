"""Setting up an authenticator app, taking its codes, and removing it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import delete, func, or_, select, update

from advancia import audit
from advancia.core.clock import utcnow
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.core.encryption import Keyring, Undecryptable
from advancia.identity import notices
from advancia.identity.factors.errors import NotSetUp
from advancia.identity.factors.models import AuthenticatorApp
from advancia.identity.factors.services import account, totp
from advancia.identity.notices import Notice

DRAFT_VALID_FOR = timedelta(minutes=30)
WHAT = "Authenticator app"
OWNER_BYTES = 8


@dataclass(frozen=True)
class Draft:
    """A secret that no code has proved yet. Shown to the person, and to the session that began it alone."""

    app: AuthenticatorApp
    secret: bytes


def begin(session: Session, *, user_id: int, session_id: int, keyring: Keyring) -> None:
    """Make a fresh secret for the person to set up. One that is in use goes on working until a code proves the new."""
    account.lock(session, user_id)
    _delete(session, user_id, confirmed=False)
    app_id = uuid4()
    session.add(
        AuthenticatorApp(
            id=app_id,
            user_id=user_id,
            session_id=session_id,
            secret=_sealed(totp.new_secret(), app_id=app_id, user_id=user_id, keyring=keyring),
        )
    )


def draft_of(session: Session, *, user_id: int, session_id: int, keyring: Keyring) -> Draft | None:
    """What that session has begun to set up, unless it is too old."""
    app = session.scalar(
        select(AuthenticatorApp).where(
            AuthenticatorApp.user_id == user_id,
            AuthenticatorApp.session_id == session_id,
            AuthenticatorApp.confirmed_at.is_(None),
            AuthenticatorApp.created_at > func.now() - DRAFT_VALID_FOR,
        )
    )
    return Draft(app, _secret_of(app, keyring)) if app else None


def confirm(
    session: Session, *, actor: Actor, session_id: int, code: str, keyring: Keyring, at: datetime
) -> bool:
    """Let the new app count if `code` is one of its codes; tell whether it is. It replaces the one before.

    Raises `NotSetUp` if nothing is begun. Other sessions end, and the person is told.
    """
    account.lock(session, actor.user_id)
    draft = draft_of(session, user_id=actor.user_id, session_id=session_id, keyring=keyring)
    if draft is None:
        raise NotSetUp
    step = totp.matching_step(draft.secret, code, at=at)
    if step is None:
        return False
    replaced = _delete(session, actor.user_id, confirmed=True)
    draft.app.confirmed_at = draft.app.last_used_at = at
    draft.app.last_step = step
    session.flush()
    account.added(session, user_id=actor.user_id, session_id=session_id, replaces=replaced)
    _tell(session, actor, Notice.FACTOR_REPLACED if replaced else Notice.FACTOR_ADDED)
    action = "factor.replace" if replaced else "factor.add"
    audit.record(session, actor, action=action, kind="user", id=actor.user_id, after={"factor": WHAT})
    return True


def accept(session: Session, *, user_id: int, code: str, keyring: Keyring, at: datetime) -> bool:
    """Whether `code` proves the app of this person. A code is taken once in its life, however many bring it at once."""
    app = session.scalar(
        select(AuthenticatorApp).where(
            AuthenticatorApp.user_id == user_id, AuthenticatorApp.confirmed_at.is_not(None)
        )
    )
    if app is None:
        return False
    step = totp.matching_step(_secret_of(app, keyring), code, at=at)
    if step is None:
        return False
    taken = session.scalar(
        update(AuthenticatorApp)
        .where(
            AuthenticatorApp.id == app.id,
            or_(AuthenticatorApp.last_step.is_(None), AuthenticatorApp.last_step < step),
        )
        .values(last_step=step, last_used_at=at)
        .returning(AuthenticatorApp.id)
    )
    return taken is not None


def give(session: Session, *, user_id: int, secret: bytes, keyring: Keyring) -> None:
    """Let a secret that is known already count for a person who has no app, such as the demo's staff."""
    app_id, now = uuid4(), utcnow()
    stored = _sealed(secret, app_id=app_id, user_id=user_id, keyring=keyring)
    session.add(AuthenticatorApp(id=app_id, user_id=user_id, secret=stored, confirmed_at=now))
    session.flush()
    account.added(session, user_id=user_id, session_id=None)


def remove(session: Session, *, actor: Actor, session_id: int) -> None:
    """Take the app away, if there is one. Other sessions end, and the person is told. Raises `StaffNeedsFactor`."""
    account.lock(session, actor.user_id)
    _delete(session, actor.user_id, confirmed=False)
    if not _delete(session, actor.user_id, confirmed=True):
        return
    account.removed(session, actor=actor, session_id=session_id)
    _tell(session, actor, Notice.FACTOR_REMOVED)
    audit.record(
        session, actor, action="factor.remove", kind="user", id=actor.user_id, before={"factor": WHAT}
    )


def _delete(session: Session, user_id: int, *, confirmed: bool) -> bool:
    state = (
        AuthenticatorApp.confirmed_at.is_not(None) if confirmed else AuthenticatorApp.confirmed_at.is_(None)
    )
    deleted = session.execute(
        delete(AuthenticatorApp)
        .where(AuthenticatorApp.user_id == user_id, state)
        .returning(AuthenticatorApp.id)
        .execution_options(synchronize_session="fetch")
    )
    return len(deleted.all()) > 0


def _sealed(secret: bytes, *, app_id: UUID, user_id: int, keyring: Keyring) -> bytes:
    """What is stored: the secret with whose it is, so that a row handed to another account is good for nothing."""
    return keyring.encrypt(user_id.to_bytes(OWNER_BYTES) + secret, **_place(app_id))


def _secret_of(app: AuthenticatorApp, keyring: Keyring) -> bytes:
    """Raises `Undecryptable` also when the row was made for somebody else."""
    opened = keyring.decrypt(app.secret, **_place(app.id))
    if opened[:OWNER_BYTES] != app.user_id.to_bytes(OWNER_BYTES):
        raise Undecryptable(f"authenticator_app.secret of row {app.id} was made for another account.")
    return opened[OWNER_BYTES:]


def _place(app_id: object) -> dict[str, str]:
    return {"table": "authenticator_app", "column": "secret", "row": str(app_id)}


def _tell(session: Session, actor: Actor, notice: Notice) -> None:
    notices.tell(
        session, user_id=actor.user_id, notice=notice, address=actor.address, lines=(("Which", WHAT),)
    )
