"""What a person says of themselves."""

from __future__ import annotations

from sqlalchemy import select

from advancia import audit
from advancia.core.context import Actor
from advancia.core.db import Session
from advancia.identity.models import User


def rename(session: Session, *, actor: Actor, name: str) -> None:
    """Give the person another name, as others see it from now on. The handle stays: money is sent to it."""
    person = session.scalars(
        select(User).where(User.id == actor.user_id).with_for_update(key_share=True)
    ).one()
    if name == person.name:
        return
    audit.record(
        session, actor, action="profile.rename", kind="user", id=person.id,
        before={"name": person.name}, after={"name": name},
    )  # fmt: skip
    person.name = name
