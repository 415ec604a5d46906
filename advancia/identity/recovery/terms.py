"""A new version of the terms, accepted by who had accepted an older one."""

from __future__ import annotations

from sqlalchemy import func, select, update

from advancia import audit
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.identity.models import User


def accept(session: Session, *, actor: Actor, version: str) -> None:
    """Store which version the person accepts, and when. Repeatable."""
    before = session.scalars(
        select(User.terms_version).where(User.id == actor.user_id).with_for_update(key_share=True)
    ).one()
    if before == version:
        return
    session.execute(
        update(User)
        .where(User.id == actor.user_id)
        .values(terms_version=version, terms_accepted_at=func.clock_timestamp())
    )
    audit.record(
        session, actor, action="terms.accept", kind="user", id=actor.user_id,
        before={"version": before}, after={"version": version},
    )  # fmt: skip
