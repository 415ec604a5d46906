"""Seals: what is final is hashed in blocks, each chained to the last and signed with a key that the database lacks."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, text
from sqlalchemy.orm import Session

from advancia.core.clock import utcnow
from advancia.ledger import horizon
from advancia.ledger.horizon import PATIENCE

VERSION = 1
BLOCK = 50_000  # ids that one seal covers at most, of transactions and of lines each

LAST = text("""
    select id, upto_txn, upto_audit, head, key_id, signature from ledger.seal order by id desc limit 1
""")

BLOCK_OF = {
    1: text(
        "select txns, entries, accounts, audits, digest, leaves"
        " from ledger.block_1(:after_txn, :upto_txn, :after_audit, :upto_audit)"
    )
}

ADD = text("""
    select ledger.add_seal(
        :id, cast(:version as smallint), :upto_txn, :upto_audit, :txns, :entries, :accounts, :audits,
        :digest, :leaves, :previous, :head, :signature, :key_id, :sealed_at)
""")

LAG = text("""
    select t.transactions, l.lines, least(t.since, l.since) as since
    from (select coalesce(max(upto_txn), 0) as upto_txn, coalesce(max(upto_audit), 0) as upto_audit from ledger.seal) s
    cross join lateral (
        select count(*) as transactions, min(created_at) as since from ledger.txn where id > s.upto_txn
    ) t
    cross join lateral (
        select count(*) as lines, min(recorded_at) as since from audit_record where id > s.upto_audit
    ) l
""")


class NoSealKey(RuntimeError):
    """There is no key to sign seals with."""


class BrokenChain(RuntimeError):
    """The last seal is not one of ours, so nothing is chained to it: see docs/ledger.md on how to mend that."""


@dataclass(frozen=True, slots=True)
class Seal:
    """A seal as it is stored: which block it stands for, and the chain and signature that hold it."""

    id: int
    version: int
    upto_txn: int
    upto_audit: int
    txns: int
    entries: int
    accounts: int
    audits: int
    digest: bytes
    leaves: bytes
    previous: bytes
    head: bytes
    signature: bytes
    key_id: str
    sealed_at: datetime

    def head_of_fields(self) -> bytes:
        """The SHA-256 of every field but the head itself and the signature, each with its length before it."""
        parts = (
            b"seal",
            *(_number(each) for each in (self.version, self.id, self.upto_txn, self.upto_audit)),
            *(_number(each) for each in (self.txns, self.entries, self.accounts, self.audits)),
            self.digest,
            hashlib.sha256(self.leaves).digest(),
            self.previous,
            self.key_id.encode(),
            self.sealed_at.astimezone(UTC).isoformat().encode(),
        )
        return hashlib.sha256(b"".join(len(each).to_bytes(4, "big") + each for each in parts)).digest()

    @property
    def chained(self) -> str:
        """What the log and a backup keep of it, and `flask ledger check --head` takes."""
        return f"{self.id}:{self.head.hex()}"


@dataclass(frozen=True, slots=True)
class SealLag:
    """What no seal covers yet, and since when the oldest of it waits."""

    transactions: int
    lines: int
    since: datetime | None


def seal(
    session: Session,
    keys: Sequence[tuple[str, bytes]],
    *,
    block: int = BLOCK,
    patience: timedelta = PATIENCE,
) -> Iterator[Seal]:
    """Seal all that is final and not sealed yet, in blocks of at most `block` ids; give each new seal.

    `keys` are ids and secrets, the newest first, with which it signs. Each seal is committed by itself, on a
    connection of its own, so it may be broken off anywhere and goes on from there; of several sealers at once
    each block is sealed by one. Raises `NoSealKey`, `BrokenChain`, `horizon.HeldBack`.
    """
    if not keys:
        raise NoSealKey("Set SEAL_KEYS: without a key nothing can be sealed.")
    settled = horizon.settled(session, patience=patience)
    with Session(session.get_bind()) as own:
        while True:
            last = own.execute(LAST).one_or_none()
            _must_be_ours(last, dict(keys))
            upto_txn = min(settled.upto_txn, (last.upto_txn if last else 0) + block)
            upto_audit = min(settled.upto_audit, (last.upto_audit if last else 0) + block)
            if upto_txn <= (last.upto_txn if last else 0) and upto_audit <= (last.upto_audit if last else 0):
                return
            made = _made(own.connection(), last, upto_txn, upto_audit, keys[0])
            added = own.scalar(ADD, _values(made))
            own.commit()
            if added:
                yield made


def seals(session: Session, *, after: int = 0) -> Iterator[Seal]:
    """Every seal with an id above `after`, in order."""
    rows = session.execute(
        text("select * from ledger.seal where id > :after order by id"),
        {"after": after},
        execution_options={"yield_per": 50},
    )
    return (_seal(row) for row in rows)


def seal_of(session: Session, number: int) -> Seal | None:
    """The seal with that id, if there is one."""
    row = session.execute(text("select * from ledger.seal where id = :id"), {"id": number}).one_or_none()
    return _seal(row) if row else None


def seal_lag(session: Session) -> SealLag:
    """What is not sealed yet. Postings of the last minute always are among it."""
    return SealLag(*session.execute(LAG).one())


def is_signed(made: Seal, keys: Mapping[str, bytes]) -> bool:
    """Whether the signature is that of its key over its head. The key must be among `keys`."""
    return hmac.compare_digest(_signature(keys[made.key_id], made.head), made.signature)


def block_of(
    connection: Connection, version: int, *, after: tuple[int, int], upto: tuple[int, int]
) -> Row[Any]:
    """Hash what a seal covers, anew: its counts, its `digest` and its `leaves`."""
    connection.exec_driver_sql("set local client_encoding to 'UTF8'")  # in which texts are hashed
    connection.exec_driver_sql("set local work_mem = '64MB'")  # a block is sorted in memory
    return connection.execute(
        BLOCK_OF[version],
        {"after_txn": after[0], "upto_txn": upto[0], "after_audit": after[1], "upto_audit": upto[1]},
    ).one()


def _must_be_ours(last: Row[Any] | None, keys: Mapping[str, bytes]) -> None:
    if last is None:
        return
    if last.key_id not in keys:
        raise BrokenChain(
            f"Seal {last.id} is signed with the key {last.key_id}, which SEAL_KEYS does not hold."
        )
    if not hmac.compare_digest(_signature(keys[last.key_id], last.head), last.signature):
        raise BrokenChain(f"Seal {last.id} has a signature that is not that of its key.")


def _made(
    connection: Connection, last: Row[Any] | None, upto_txn: int, upto_audit: int, key: tuple[str, bytes]
) -> Seal:
    after = (last.upto_txn, last.upto_audit) if last else (0, 0)
    found = block_of(connection, VERSION, after=after, upto=(upto_txn, upto_audit))
    key_id, secret = key
    unsigned = Seal(
        id=last.id + 1 if last else 1,
        version=VERSION,
        upto_txn=upto_txn,
        upto_audit=upto_audit,
        txns=found.txns,
        entries=found.entries,
        accounts=found.accounts,
        audits=found.audits,
        digest=bytes(found.digest),
        leaves=bytes(found.leaves),
        previous=bytes(last.head) if last else b"",
        head=b"",
        signature=b"",
        key_id=key_id,
        sealed_at=utcnow(),
    )
    head = unsigned.head_of_fields()
    return replace(unsigned, head=head, signature=_signature(secret, head))


def _values(made: Seal) -> dict[str, Any]:
    return {each.name: getattr(made, each.name) for each in fields(Seal)}


def _seal(row: Row[Any]) -> Seal:
    values: dict[str, Any] = {each.name: getattr(row, each.name) for each in fields(Seal)}
    return Seal(**values)


def _signature(secret: bytes, head: bytes) -> bytes:
    return hmac.new(secret, b"seal" + head, hashlib.sha256).digest()


def _number(value: int) -> bytes:
    return value.to_bytes(8, "big", signed=True)
