"""Verifying seals: the chain and the signatures, and whether what they cover still is what was sealed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from advancia.ledger.report import NAMED_AT_MOST, Difference
from advancia.ledger.seals import BLOCK_OF, Seal, block_of, is_signed, seal_of, seals

NAME_BYTES = 9  # of a leaf: one tells the kind, eight are the id
LEAF_BYTES = 15

KINDS = {ord("t"): "transaction", ord("a"): "account", ord("l"): "audit record"}

NEVER_HANDED_OUT = text("""
    select format('audit record %s has a number that is never handed out', id) from audit_record where id < 1
    limit :most
""")


@dataclass(frozen=True, slots=True)
class Link:
    """A seal without its leaves, and where the seal before it ended: all that verifying its block needs."""

    id: int
    version: int
    after: tuple[int, int]
    upto: tuple[int, int]
    counts: tuple[int, int, int, int]
    digest: bytes


def chain(
    session: Session, keys: Mapping[str, bytes], *, after: int = 0, heads: Mapping[int, str] | None = None
) -> tuple[list[Link], str | None, list[Difference]]:
    """Go along the chain after seal `after`; give its links, the last seal as the log has it, and what is wrong.

    `heads` are seals as they were noted elsewhere: a seal of that id must have that head.
    """
    links: list[Link] = []
    wrong: list[Difference] = []
    expected = dict(heads or {})
    last = seal_of(session, after)
    for seal in seals(session, after=after):
        wrong += [Difference("seal", f"seal {seal.id} {told}") for told in _faults(seal, last, keys)]
        if expected.pop(seal.id, seal.head.hex()) != seal.head.hex():
            wrong.append(Difference("seal", f"seal {seal.id} is not the one that was noted"))
        links.append(_link(seal, last))
        last = seal
    wrong += [
        Difference("seal", f"seal {number} was noted, and there is none")
        for number in expected
        if number > after
    ]
    return links, last.chained if last else None, wrong


def block(connection: Connection, link: Link) -> list[Difference]:
    """Hash again what the seal covers. When it differs, name what was changed, added or removed."""
    if link.version not in BLOCK_OF:
        return []
    found = block_of(connection, link.version, after=link.after, upto=link.upto)
    counts = (found.txns, found.entries, found.accounts, found.audits)
    if bytes(found.digest) == link.digest and counts == link.counts:
        return []
    leaves = connection.scalar(text("select leaves from ledger.seal where id = :id"), {"id": link.id})
    named = list(_named(bytes(leaves or b""), bytes(found.leaves)))
    return [Difference("seal", f"{told} since seal {link.id}") for told in named[:NAMED_AT_MOST]] or [
        Difference(
            "seal",
            f"seal {link.id} does not stand for what it covers (transactions {link.after[0] + 1} to"
            f" {link.upto[0]}, audit records {link.after[1] + 1} to {link.upto[1]})",
        )
    ]


def strays(connection: Connection) -> list[Difference]:
    """Lines of the audit trail that no seal can cover."""
    return [
        Difference("seal", told) for told in connection.scalars(NEVER_HANDED_OUT, {"most": NAMED_AT_MOST})
    ]


def _faults(seal: Seal, last: Seal | None, keys: Mapping[str, bytes]) -> Iterator[str]:
    if seal.id != (last.id if last else 0) + 1:
        yield f"does not follow the one before, {last.id if last else 'none'}"
    if seal.previous != (last.head if last else b""):
        yield "is not chained to the one before"
    if last and (seal.upto_txn < last.upto_txn or seal.upto_audit < last.upto_audit):
        yield "ends before the one before"
    if seal.head != seal.head_of_fields():
        yield "was changed: its head is not that of its columns"
    if seal.version not in BLOCK_OF:
        yield f"is of version {seal.version}, which is unknown"
    if seal.key_id not in keys:
        yield f"is signed with the key {seal.key_id}, which SEAL_KEYS does not hold"
    elif not is_signed(seal, keys):
        yield "has a signature that is not that of its key"


def _link(seal: Seal, last: Seal | None) -> Link:
    return Link(
        id=seal.id,
        version=seal.version,
        after=(last.upto_txn, last.upto_audit) if last else (0, 0),
        upto=(seal.upto_txn, seal.upto_audit),
        counts=(seal.txns, seal.entries, seal.accounts, seal.audits),
        digest=seal.digest,
    )


def _named(then: bytes, now: bytes) -> Iterator[str]:
    """What differs between the leaves of a seal and those of today."""
    before, after = _leaves(then), _leaves(now)
    for name in sorted(before.keys() | after.keys()):
        what = f"{KINDS.get(name[0], 'something')} {int.from_bytes(name[1:], 'big', signed=True)}"
        if name not in after:
            yield f"{what} was removed"
        elif name not in before:
            yield f"{what} was added"
        elif before[name] != after[name]:
            yield f"{what} was changed"


def _leaves(leaves: bytes) -> dict[bytes, bytes]:
    return {
        leaves[at : at + NAME_BYTES]: leaves[at + NAME_BYTES : at + LEAF_BYTES]
        for at in range(0, len(leaves), LEAF_BYTES)
    }
