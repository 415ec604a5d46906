"""What the proofs of all of the books have found, a row each: whoever asks whether the ledger is proven reads here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import BigInteger, CheckConstraint, Double, Identity, Integer, Text, func, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from advancia.core.db import Model
from advancia.core.types import Timestamp
from advancia.ledger.report import LedgerReport, Verdict


class FullProof(Model):
    """One computation of all of the books, when it ended and what it found."""

    __tablename__ = "full_proof"
    __table_args__ = (
        CheckConstraint("verdict IN ('proven', 'empty', 'wrong')", name="verdict_known"),
        CheckConstraint("(verdict = 'wrong') = (differences > 0)", name="wrong_by_differences"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    proven_at: Mapped[Timestamp] = mapped_column(server_default=func.now())
    verdict: Mapped[str] = mapped_column(Text)
    entries: Mapped[int] = mapped_column(BigInteger)
    seals: Mapped[int] = mapped_column(BigInteger)
    differences: Mapped[int] = mapped_column(Integer)
    head: Mapped[str | None] = mapped_column(Text)
    seconds: Mapped[float] = mapped_column(Double)


@dataclass(frozen=True)
class Proven:
    """What the latest proof of all of the books has found. `empty` books are right, but prove nothing."""

    proven_at: datetime
    verdict: Verdict
    entries: int
    seals: int
    differences: int
    head: str | None
    seconds: float

    @property
    def is_right(self) -> bool:
        return self.verdict != "wrong"


def note(session: Session, report: LedgerReport) -> None:
    """Write down what a check of all of the books has found, with the caller's unit of work."""
    session.execute(
        insert(FullProof).values(
            verdict=report.verdict,
            entries=report.entries,
            seals=report.seals,
            differences=len(report.differences),
            head=report.head,
            seconds=sum(report.seconds.values()),
        )
    )


def latest(session: Session) -> Proven | None:
    """The last proof of all of the books, if there was one."""
    row = session.execute(
        select(
            FullProof.proven_at, FullProof.verdict, FullProof.entries, FullProof.seals, FullProof.differences,
            FullProof.head, FullProof.seconds,
        ).order_by(FullProof.id.desc()).limit(1)
    ).first()  # fmt: skip
    return None if row is None else Proven(row[0], cast("Verdict", row[1]), *row[2:])
