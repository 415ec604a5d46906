"""People, the sign-ups that are not people yet, their sessions and devices, and the tries that are counted."""

from __future__ import annotations

from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from advancia.core.db import Model
from advancia.core.types import Timestamp


class User(Model):
    """A person whose address has been verified. Email and handle are kept in lower case."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("email = lower(email)", name="email_lower"),
        CheckConstraint("handle ~ '^[a-z][a-z0-9_]{2,29}$'", name="handle_form"),
        CheckConstraint("role IN ('customer', 'support', 'finance', 'admin', 'owner')", name="role_known"),
        CheckConstraint(
            "password_alone OR second_factor_since IS NOT NULL", name="short_password_has_factor"
        ),
        # Staff find people by words of the name, and by how an email or a handle begins.
        Index("ix_users_words", text("to_tsvector('simple'::regconfig, name)"), postgresql_using="gin"),
        Index("ix_users_email_begins", "email", postgresql_ops={"email": "text_pattern_ops"}),
        Index("ix_users_handle_begins", "handle", postgresql_ops={"handle": "text_pattern_ops"}),
        Index("ix_users_suspended", "id", postgresql_where=text("suspended_at IS NOT NULL")),
        Index("ix_users_staff", "id", postgresql_where=text("role <> 'customer'")),
        Index("ix_users_created_at", "created_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    email: Mapped[str] = mapped_column(Text, unique=True)
    handle: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    password_hash: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(Text, server_default=text("'customer'"))
    terms_version: Mapped[str] = mapped_column(Text)
    terms_accepted_at: Mapped[Timestamp]
    email_verified_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    password_changed_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    # Whether the password is long enough to be the only factor; a shorter one needs a second beside it.
    password_alone: Mapped[bool] = mapped_column(server_default=text("true"))
    # Kept in step with the factors themselves, so that every request knows it without asking three tables.
    second_factor_since: Mapped[Timestamp | None]
    suspended_at: Mapped[Timestamp | None]
    created_at: Mapped[Timestamp] = mapped_column(server_default=func.now())


class SignUp(Model):
    """Somebody who claims an address and has not proved it yet.

    Kept apart from `User`, so that a stranger who types my address leaves nothing that I would inherit.
    Each sign-up has its own code, stored as a keyed hash; `user_exists` marks one for an address that
    already has an account: it looks the same from outside, and no code opens it.
    """

    __tablename__ = "sign_up"
    __table_args__ = (Index("ix_sign_up_email", "email"), Index("ix_sign_up_created_at", "created_at"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    email: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    password_hash: Mapped[str] = mapped_column(Text)
    terms_version: Mapped[str] = mapped_column(Text)
    terms_accepted_at: Mapped[Timestamp]
    user_exists: Mapped[bool]
    code_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    code_expires_at: Mapped[Timestamp | None]
    wrong_codes: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    verified_at: Mapped[Timestamp | None]
    created_at: Mapped[Timestamp] = mapped_column(server_default=func.now())


class Device(Model):
    """A browser that somebody has signed in from, known again by its cookie, of which the SHA-256 is kept.

    A browser that several people use is a device of each.
    """

    __tablename__ = "device"
    __table_args__ = (UniqueConstraint("user_id", "token_hash"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary)
    first_seen_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    last_seen_at: Mapped[Timestamp] = mapped_column(server_default=func.now())


class UserSession(Model):
    """A signed-in browser. Only the SHA-256 of its token is kept.

    `confirmed_at` is when the person last proved who they are, at the sign-in or since; `second_factor_at` when they
    last did so by a second factor, `password_at` by the password, if ever.
    """

    __tablename__ = "user_session"
    __table_args__ = (
        Index("ix_user_session_user_id", "user_id"),
        Index("ix_user_session_device_id", "device_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    device_id: Mapped[int | None] = mapped_column(ForeignKey("device.id", ondelete="SET NULL"))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    address: Mapped[str | None] = mapped_column(Text)
    user_agent: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    last_used_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    expires_at: Mapped[Timestamp]
    confirmed_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    second_factor_at: Mapped[Timestamp | None]
    password_at: Mapped[Timestamp | None]
    ended_at: Mapped[Timestamp | None]


class CountedTry(Model):
    """A try that counts against a limit; see `services.limits`.

    Written before what was tried is looked at, and deleted when it was a good one. `expires_at` is when it counts no
    longer in any case; nobody's, when only a good try ends the count.
    """

    __tablename__ = "counted_try"
    __table_args__ = (
        Index("ix_counted_try_what_key_tried_at", "what", "key", "tried_at"),
        Index("ix_counted_try_expires_at", "expires_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    what: Mapped[str] = mapped_column(Text)
    key: Mapped[str] = mapped_column(Text)
    tried_at: Mapped[Timestamp]
    expires_at: Mapped[Timestamp | None]
