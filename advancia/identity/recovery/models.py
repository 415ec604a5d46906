"""What is under way: links that reset a password, changes of address, and resets of a second factor.

Links hold a token of 256 bits, of which only the SHA-256 is kept here. `closed_at` is when a thing came to its end,
whichever it was; of each kind a person has at most one that is open.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, LargeBinary, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from advancia.core.db import Model
from advancia.core.types import Timestamp

OPEN = text("closed_at IS NULL")


class PasswordReset(Model):
    """A link by mail that lets its holder choose a new password, once."""

    __tablename__ = "password_reset"
    __table_args__ = (Index("uq_password_reset_open", "user_id", unique=True, postgresql_where=OPEN),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    expires_at: Mapped[Timestamp]
    closed_at: Mapped[Timestamp | None]


class EmailChange(Model):
    """A change of address that both addresses have to agree to, each by the link in its own mail."""

    __tablename__ = "email_change"
    __table_args__ = (
        Index("uq_email_change_open", "user_id", unique=True, postgresql_where=OPEN),
        CheckConstraint("new_email = lower(new_email)", name="new_email_lower"),
        CheckConstraint("new_email <> old_email", name="another"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    old_email: Mapped[str] = mapped_column(Text)
    new_email: Mapped[str] = mapped_column(Text)
    old_token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    new_token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    old_agreed_at: Mapped[Timestamp | None]
    new_agreed_at: Mapped[Timestamp | None]
    created_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    expires_at: Mapped[Timestamp]
    closed_at: Mapped[Timestamp | None]


class FactorReset(Model):
    """A lost second factor that staff began to take away, and only the person can finish: later, by link and password.

    `begun_token_hash` is that of the first mail's link, `ready_token_hash` of the one when the delay is over.
    """

    __tablename__ = "factor_reset"
    __table_args__ = (
        Index("uq_factor_reset_open", "user_id", unique=True, postgresql_where=OPEN),
        CheckConstraint("begun_by <> user_id", name="begun_by_another"),
        CheckConstraint("ready_at >= created_at AND expires_at > ready_at", name="in_order"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    begun_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    reason: Mapped[str] = mapped_column(Text)
    begun_token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    ready_token_hash: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    ready_at: Mapped[Timestamp]
    expires_at: Mapped[Timestamp]
    closed_at: Mapped[Timestamp | None]
