"""Staff of the demo, one of each role, whose second factor everybody may know: for development only."""

from __future__ import annotations

import base64
from functools import partial

from advancia.core.clock import utcnow
from advancia.core.db import Session, in_unit_of_work
from advancia.core.encryption import Keyring
from advancia.identity import queries as people
from advancia.identity.factors.services import apps, totp
from advancia.identity.services import passwords, sign_up
from advancia.web.public import TERMS_VERSION

STAFF = (
    ("support@demo.example", "Sade Bello", "support"),
    ("finance@demo.example", "Farid Amini", "finance"),
    ("admin@demo.example", "Ada Mensah", "admin"),
    ("owner@demo.example", "Olu Adeyemi", "owner"),
)
KEY = "MRSW23ZAN5TCAYLEOZQW4Y3JME5DCMRT"  # for an authenticator app


def seed(*, password: str, keyring: Keyring) -> list[str]:
    """Create who is missing of the staff, each with the demo's authenticator app; return all addresses. Repeatable."""
    password_hash = passwords.hashed(password)
    for email, name, role in STAFF:
        in_unit_of_work(
            partial(_create, email=email, name=name, role=role, password_hash=password_hash, keyring=keyring)
        )
    return [email for email, _name, _role in STAFF]


def code() -> str:
    """What the authenticator app of the demo's staff shows now."""
    return totp.code(base64.b32decode(KEY), at=utcnow())


def _create(
    session: Session, *, email: str, name: str, role: str, password_hash: str, keyring: Keyring
) -> None:
    if people.credentials_of(session, email).user_id is not None:
        return
    user_id = sign_up.create_user(
        session,
        email=email,
        name=name,
        password_hash=password_hash,
        role=role,
        terms_version=TERMS_VERSION,
        terms_accepted_at=utcnow(),
    )
    if user_id is not None:
        apps.give(session, user_id=user_id, secret=base64.b32decode(KEY), keyring=keyring)
