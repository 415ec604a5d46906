"""Encryption of single columns: what a copy of the database alone must not give away.

AES-256-GCM under one of the keys in `FIELD_KEYS`, which the database never sees. A value names the key that it stands
under, so that keys can be changed one row at a time (`flask secrets rotate`), and it is bound to its table, column
and row: moved to any other place it is unreadable. What is stored is

    version (1 byte, 1) · length of the key's id (1 byte) · the id (ASCII) · nonce (12 bytes) · ciphertext and tag

An encrypted column is declared in its model as `Mapped[Ciphertext]`; that declaration is the registry which rotation
reads, and `Keyring.encrypt` refuses any column without it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Column, ColumnElement, LargeBinary, and_, case, func
from sqlalchemy.orm import mapped_column
from sqlalchemy.types import TypeDecorator

from advancia.core.db import Model

VERSION = 1
NONCE_BYTES = 12
TAG_BYTES = 16


class EncryptedBytes(TypeDecorator[bytes]):
    """The type of a column that holds what `Keyring.encrypt` gave; to the database it is plain BYTEA."""

    impl = LargeBinary
    cache_ok = True


# How a model declares an encrypted column: `secret: Mapped[Ciphertext]`, or `Mapped[Ciphertext | None]`. Its table has
# a primary key of one column, whose value is the `row` of `encrypt` and `decrypt`.
Ciphertext = Annotated[bytes, mapped_column(EncryptedBytes)]


class Undecryptable(Exception):
    """A stored value that no key of ours opens at this place; the text says where and why, and no more."""


class NoFieldKey(Exception):
    """There is nothing to encrypt with."""


class NotRegistered(Exception):
    """A column is used as an encrypted one without being declared so; rotation would not know of it."""


@dataclass(frozen=True)
class EncryptedColumn:
    """One registered column, and the primary key that tells its rows apart."""

    table: str
    column: str
    key: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"


class Keyring:
    """The keys of encrypted columns, the newest first: that one encrypts, and all of them decrypt."""

    def __init__(self, keys: Sequence[tuple[str, bytes]]) -> None:
        self._ciphers = {name: AESGCM(key) for name, key in keys}

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self._ciphers)})"

    @property
    def names(self) -> list[str]:
        """The ids of all keys, the newest first."""
        return list(self._ciphers)

    @property
    def newest(self) -> str:
        """The id of the key that encrypts. Raises `NoFieldKey`."""
        for name in self._ciphers:
            return name
        raise NoFieldKey("Set FIELD_KEYS: without a key nothing can be encrypted.")

    @property
    def newest_head(self) -> bytes:
        """What every value under the newest key begins with. Raises `NoFieldKey`."""
        return _head(self.newest)

    def encrypt(self, plain: bytes, *, table: str, column: str, row: int | str) -> bytes:
        """Encrypt `plain` for this place alone, under the newest key; no two results are alike.

        `row` is the value of the table's primary key. Raises `NotRegistered`, `NoFieldKey`.
        """
        _check_registered(table, column)
        head, nonce = self.newest_head, secrets.token_bytes(NONCE_BYTES)
        bound = _bound(head, table, column, row)
        return head + nonce + self._ciphers[self.newest].encrypt(nonce, plain, bound)

    def decrypt(self, stored: bytes, *, table: str, column: str, row: int | str) -> bytes:
        """Give back what was encrypted for this place. Raises `Undecryptable`."""
        place = f"{table}.{column} of row {row}"
        try:
            name, head, rest = _parts(stored)
        except Undecryptable as trouble:
            raise Undecryptable(f"{place}: {trouble}") from None
        if name not in self._ciphers:
            raise Undecryptable(f"{place} is under the key {name}, which FIELD_KEYS does not hold.")
        nonce, sealed = rest[:NONCE_BYTES], rest[NONCE_BYTES:]
        try:
            return self._ciphers[name].decrypt(nonce, sealed, _bound(head, table, column, row))
        except InvalidTag:
            raise Undecryptable(
                f"{place} was changed, comes from another place, or is under another key that is named {name} too."
            ) from None


def key_id_of(stored: bytes) -> str:
    """The id of the key that a value is under, as it says itself. Raises `Undecryptable`."""
    name, _, _ = _parts(stored)
    return name


def key_id_in_sql(column: Column[Any]) -> ColumnElement[bytes | None]:
    """The same as SQL, in bytes; null where no encrypted value of ours stands."""
    is_ours = and_(func.octet_length(column) > 2, func.get_byte(column, 0) == VERSION)  # noqa: PLR2004
    return case((is_ours, func.substring(column, 3, func.get_byte(column, 1), type_=LargeBinary())))


def encrypted_columns() -> Iterator[EncryptedColumn]:
    """The registry: every column that a model declares as `Ciphertext`, in a steady order."""
    for table in sorted(Model.metadata.tables.values(), key=lambda each: each.name):
        for column in table.columns:
            if isinstance(column.type, EncryptedBytes):
                (key,) = table.primary_key.columns
                yield EncryptedColumn(table.name, column.name, key.name)


def _check_registered(table: str, column: str) -> None:
    known: Any = Model.metadata.tables.get(table)
    if known is None or column not in known.columns or not isinstance(known.c[column].type, EncryptedBytes):
        raise NotRegistered(f"{table}.{column} is not declared as Ciphertext in its model.")


def _head(name: str) -> bytes:
    return bytes([VERSION, len(name)]) + name.encode("ascii")


def _parts(stored: bytes) -> tuple[str, bytes, bytes]:
    """The key's id, the head that names it, and what follows."""
    if len(stored) < 2 or stored[0] != VERSION:  # noqa: PLR2004 - version and length
        raise Undecryptable("no encrypted value of ours stands there.")
    head, rest = stored[: 2 + stored[1]], stored[2 + stored[1] :]
    if len(rest) < NONCE_BYTES + TAG_BYTES or not head.isascii():
        raise Undecryptable("an encrypted value stands there that was cut short.")
    return head[2:].decode("ascii"), head, rest


def _bound(head: bytes, table: str, column: str, row: int | str) -> bytes:
    """The associated data. Each part is told with its length: no two places can look alike."""
    parts = (head, table.encode(), column.encode(), str(row).encode())
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
