"""Second factors, and the sign-ins that wait for one."""

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
from advancia.core.encryption import Ciphertext
from advancia.core.types import Timestamp


class AuthenticatorApp(Model):
    """The secret that somebody's app makes one-time codes from; RFC 6238: SHA-1, six digits, 30 seconds.

    It counts from `confirmed_at` on, when a code proved that the app has it; until then it is a draft, which only the
    session that began it may see. `last_step` is the time step of the last code taken: no code up to it is taken again.
    """

    __tablename__ = "authenticator_app"
    __table_args__ = (
        Index(
            "uq_authenticator_app_confirmed",
            "user_id",
            unique=True,
            postgresql_where=text("confirmed_at IS NOT NULL"),
        ),
        Index(
            "uq_authenticator_app_draft",
            "user_id",
            unique=True,
            postgresql_where=text("confirmed_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    session_id: Mapped[int | None] = mapped_column(BigInteger)
    secret: Mapped[Ciphertext]
    last_step: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    confirmed_at: Mapped[Timestamp | None]
    last_used_at: Mapped[Timestamp | None]


class Passkey(Model):
    """A key pair of WebAuthn whose private half stays with the person's device.

    `user_handle` is what the device knows the person by: random, and the same for all passkeys of one person, so that
    a device never keeps two for the same account.
    """

    __tablename__ = "passkey"
    __table_args__ = (
        Index("ix_passkey_user_id", "user_id"),
        CheckConstraint("char_length(name) BETWEEN 1 AND 60", name="name_length"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    user_handle: Mapped[bytes] = mapped_column(LargeBinary)
    credential_id: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    credential: Mapped[bytes] = mapped_column(
        LargeBinary
    )  # attested credential data: model, id and public key
    sign_count: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(Text)
    synced: Mapped[bool]
    created_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    last_used_at: Mapped[Timestamp | None]


class PasskeyChallenge(Model):
    """What a device is asked to sign, once, for one purpose, in the flow (`bound_to`) that asked for it."""

    __tablename__ = "passkey_challenge"
    __table_args__ = (Index("ix_passkey_challenge_expires_at", "expires_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    challenge: Mapped[bytes] = mapped_column(LargeBinary)
    bound_to: Mapped[str] = mapped_column(Text)
    user_handle: Mapped[bytes | None] = mapped_column(LargeBinary)
    expires_at: Mapped[Timestamp]


class RecoveryCode(Model):
    """One of ten codes that stand in for a lost factor, each once. Only a hash of it is kept."""

    __tablename__ = "recovery_code"
    __table_args__ = (UniqueConstraint("user_id", "code_hash"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    code_hash: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    used_at: Mapped[Timestamp | None]


class PendingSignIn(Model):
    """A sign-in whose password was right and whose second factor is still to be proved, in one browser alone.

    The browser holds the token, of which the SHA-256 is kept. It opens nothing by itself.
    """

    __tablename__ = "pending_sign_in"
    __table_args__ = (
        Index("ix_pending_sign_in_user_id", "user_id"),
        Index("ix_pending_sign_in_expires_at", "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    wanted: Mapped[str | None] = mapped_column(Text)  # the page that the person was on the way to
    wrong_tries: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    created_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    expires_at: Mapped[Timestamp]
    ended_at: Mapped[Timestamp | None]
