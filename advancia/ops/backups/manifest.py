"""What a backup says of itself, in a file of its own beside the dump: JSON, signed, without a secret.

It is written last, so a backup without its manifest is none. The signature is an HMAC-SHA256, under one of `SEAL_KEYS`,
over the same JSON without the signature, with its keys in order and no spaces.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from advancia.config import Keys
from advancia.ops.backups.errors import BadManifest, BadSignature, NoSuchBackup, NotSetUp, PartMissing
from advancia.ops.backups.facts import Facts
from advancia.ops.backups.stores import Store

FORMAT = 1
LARGEST = 4 * 1024 * 1024


@dataclass(frozen=True)
class Manifest:
    """One backup: what it holds, and how its dump is stored. Times are ISO 8601, in UTC."""

    name: str
    why: str
    begun_at: str
    ended_at: str
    app_version: str
    facts: Facts
    recipients: list[str]  # public keys; the one for the proof is left out
    plain_bytes: int
    stored_bytes: int
    sha256: str  # of what is stored
    key_id: str = ""
    signature: str = field(default="", repr=False)
    format: int = FORMAT

    @property
    def begun(self) -> datetime:
        return datetime.fromisoformat(self.begun_at)

    @property
    def dump(self) -> str:
        """The name of the part with the rows."""
        return dump_name(self.name)

    @property
    def postgres_major(self) -> int:
        return int(self.facts.server_version.split(".")[0])

    def as_json(self) -> dict[str, Any]:
        """As it is kept in the row, and written to the store."""
        return asdict(self)


def dump_name(name: str) -> str:
    """The name of a backup's dump in its store."""
    return f"{name}.dump.age"


def manifest_name(name: str) -> str:
    """The name of a backup's manifest in its store."""
    return f"{name}.manifest.json"


def sign(manifest: Manifest, keys: Keys) -> Manifest:
    """The same, signed with the newest key. Raises `NotSetUp`."""
    if not keys:
        raise NotSetUp("SEAL_KEYS is missing, without which nobody could tell whether a backup is ours.")
    key_id, secret = keys[0]
    told = {**manifest.as_json(), "key_id": key_id}
    return read_dict({**told, "signature": _signature(told, secret)})


def check_signature(manifest: Manifest, keys: Iterable[tuple[str, bytes]]) -> None:
    """Raises `BadSignature`."""
    secret = dict(keys).get(manifest.key_id)
    if secret is None:
        raise BadSignature(
            f"The manifest is signed with the key {manifest.key_id or 'of no name'}, which SEAL_KEYS does not hold."
        )
    if not hmac.compare_digest(_signature(manifest.as_json(), secret), manifest.signature):
        raise BadSignature("The manifest was changed after it was signed, or is not ours.")


def write(manifest: Manifest) -> bytes:
    """The file."""
    return json.dumps(manifest.as_json(), indent=2, sort_keys=True).encode() + b"\n"


def read(text: bytes) -> Manifest:
    """What a manifest says; whether it is ours, `check_signature` tells. Raises `BadManifest`."""
    try:
        told = json.loads(text)
    except ValueError:
        raise BadManifest("The manifest cannot be read: it is not JSON.") from None
    return read_dict(told)


def read_dict(told: Any) -> Manifest:
    """The same of what stands in a row. Raises `BadManifest`."""
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise BadManifest(
            "The manifest is not of the form that we know; a newer version of ours may have made it."
        )
    try:
        return Manifest(**{**told, "facts": Facts(**told["facts"])})
    except (KeyError, TypeError) as trouble:
        raise BadManifest(f"The manifest lacks something, or says too much: {trouble}.") from None


def fetch(store: Store, name: str) -> Manifest:
    """Read a backup's manifest from its store. Raises `NoSuchBackup`, `BadManifest`, `StoreTrouble`."""
    try:
        source = store.open(manifest_name(name))
    except PartMissing:
        raise NoSuchBackup(
            f"There is no backup {name} in {store.address}: its manifest is missing."
        ) from None
    try:
        return read(source.read(LARGEST))
    finally:
        source.close()


def _signature(told: dict[str, Any], secret: bytes) -> str:
    signed = {name: value for name, value in told.items() if name != "signature"}
    text = json.dumps(signed, sort_keys=True, separators=(",", ":")).encode()
    return hmac.new(secret, b"backup manifest\n" + text, hashlib.sha256).hexdigest()
