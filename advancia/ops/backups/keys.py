"""Who can open a backup.

Each is encrypted (age, X25519) for the owner's public keys in `BACKUP_RECIPIENTS`, whose secret halves this machine
never sees, and for a key of its own that is made with it. That one is kept in its row, encrypted under `FIELD_KEYS`,
so that the weekly proof can run unattended, and is wiped when a newer backup is complete: from then on the server, or
whoever took it over, cannot read the older one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pyrage
from sqlalchemy import update

from advancia.core.db import Session
from advancia.core.encryption import Keyring
from advancia.ops.backups.errors import NotSetUp, WrongKey
from advancia.ops.backups.models import Backup

Identity: TypeAlias = Any  # a `pyrage.x25519.Identity`: the library says nothing of its types
Recipient: TypeAlias = Any  # a `pyrage.x25519.Recipient`

PROOF_IDENTITY = {"table": "backup", "column": "proof_identity"}
HOW_RECIPIENTS = (
    "Nobody could open a backup: run flask backup keygen on a machine of the owner's, and put the public key that it "
    "prints (age1…) into BACKUP_RECIPIENTS."
)


def new_identity() -> Identity:
    """A secret key; `to_public()` is what to encrypt for."""
    return pyrage.x25519.Identity.generate()


def recipients_of(public_keys: Sequence[str]) -> list[Recipient]:
    """The owner's keys. Raises `NotSetUp` when there is none, or one is mistyped."""
    if not public_keys:
        raise NotSetUp(HOW_RECIPIENTS)
    return [_recipient(each) for each in public_keys]


def _recipient(public_key: str) -> Recipient:
    try:
        return pyrage.x25519.Recipient.from_str(public_key)
    except pyrage.RecipientError:
        raise NotSetUp(
            f"BACKUP_RECIPIENTS holds {public_key}, which is mistyped: copy it again from where it was made."
        ) from None


def read_identities(path: Path) -> list[Identity]:
    """The secret keys in a file as `flask backup keygen` and `age-keygen` write it. Raises `WrongKey`."""
    try:
        lines = [line.strip() for line in path.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as trouble:
        raise WrongKey(f"The identity file {path} cannot be read: {trouble}.") from None
    try:
        found = [pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except pyrage.IdentityError:
        found = []
    if not found:
        raise WrongKey(
            f"{path} is no identity file: it should hold a line that begins with AGE-SECRET-KEY-1."
        )
    return found


def keep_for_proof(session: Session, keyring: Keyring, *, backup_id: int, identity: Identity) -> None:
    """Keep what opens this backup, and wipe what opened those before; the caller's unit of work commits."""
    session.execute(
        update(Backup)
        .where(Backup.id != backup_id, Backup.proof_identity.is_not(None))
        .values(proof_identity=None)
    )
    kept = keyring.encrypt(str(identity).encode(), **PROOF_IDENTITY, row=backup_id)
    session.execute(update(Backup).where(Backup.id == backup_id).values(proof_identity=kept))


def proof_identity_of(keyring: Keyring, backup: Backup) -> Identity | None:
    """What opens this backup for its proof; None once there is a newer one. Raises `Undecryptable`."""
    if backup.proof_identity is None:
        return None
    plain = keyring.decrypt(backup.proof_identity, **PROOF_IDENTITY, row=backup.id)
    return pyrage.x25519.Identity.from_str(plain.decode())
