"""Clients of the ledger in processes of their own, which may be killed at any moment, as may the server.

A teller writes into its journal what it is about to post, posts it, and once the commit has returned writes that it was
acknowledged, or why it was refused. Started again, it first repeats what its journal leaves open, word for word.
The clerk rolls up, seals and proves what came.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from threading import Event
from typing import Any, TypeVar

from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.orm import Session

from advancia import ledger
from advancia.config import sqlalchemy_url
from advancia.core.money import Money, asset
from advancia.ledger import (
    AccountKey,
    BatchItem,
    LedgerError,
    Posting,
    available,
    check,
    clearing,
    horizon,
    house,
    seals,
)
from tests.support.servers import eventually

T = TypeVar("T")
Deed = dict[str, Any]  # what is to be done, as JSON can say it: the content that its reference stands for
Line = tuple[str, str, Deed]  # a word, a reference, a deed

USERS = range(1, 7)
MOST = {"USD": 5_000, "ETH": 5 * 10**19}  # minor units; these ethers do not fit into 64 bits
CLOSING = "closing"  # once a file of this name is there, whoever has finished goes home
PAUSE_SECONDS = 0.2  # the clerk's, between two rounds

RECENT = text("""
    select t.reference, t.kind, min(e.asset) as asset, max(e.amount)::text as amount
    from (select id, reference, kind from ledger.txn order by id desc limit 40) t
    join ledger.entry e on e.txn_id = t.id
    group by t.id, t.reference, t.kind order by t.id
""")


class Phone:
    """Reaches the database, again and again if the server is away."""

    def __init__(self, url: str) -> None:
        self.engine = create_engine(sqlalchemy_url(url), pool_size=3)

    def ask(self, action: Callable[[Session], T]) -> T:
        """Do `action` and commit. Do it again if the connection was lost, even if that was during the commit."""
        while True:
            try:
                with Session(self.engine) as session:
                    result = action(session)
                    session.commit()
                    return result
            except DBAPIError as error:
                if not _is_passing(error):
                    raise
            self.engine.dispose()
            eventually(self.is_answered, "the database takes connections")

    def is_answered(self) -> bool:
        try:
            with self.engine.connect():
                return True
        except OperationalError:
            return False


def _is_passing(error: DBAPIError) -> bool:
    """Whether the server went away, or somebody else was quicker (40001). A deadlock must never be."""
    if "snapshot" in str(error.orig):  # it was exported by a server that is no more
        return True
    state = getattr(error.orig, "sqlstate", None)
    return isinstance(error, OperationalError | InterfaceError) and state != "40P01"


class Journal:
    """What a client said, a line each: word, reference, deed. It outlives the client."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()
        self._drop_half_a_line()
        self.file = path.open("ab", buffering=0)

    def write(self, *lines: Line) -> None:
        told = "".join(f"{word} {reference} {json.dumps(deed)}\n" for word, reference, deed in lines)
        self.file.write(told.encode())

    def last(self) -> Line | None:
        """The newest line that says what was to be done, or that it is over."""
        told = self.path.read_bytes()
        start = max(told.rfind(b"\n" + word) for word in (b"intends ", b"finished "))
        return _line(told[start + 1 :].partition(b"\n")[0].decode()) if told else None

    def _drop_half_a_line(self) -> None:
        told = self.path.read_bytes()
        if not told.endswith(b"\n"):
            with self.path.open("r+b") as file:
                file.truncate(told.rfind(b"\n") + 1)


def lines(path: Path) -> Iterator[Line]:
    """All whole lines of a journal."""
    *whole, _ = path.read_text().split("\n")
    return map(_line, whole)


def _line(told: str) -> Line:
    word, reference, deed = told.split(" ", 2)
    return word, reference, json.loads(deed)


def serve(work: Callable[..., None], folder: Path, name: str, *parameters: Any) -> None:
    """What a process runs: `work`, whose error is left beside its journal."""
    try:
        work(folder, name, *parameters)
    except BaseException:
        (folder / f"{name}.error").write_text(traceback.format_exc())
        raise


def tell(folder: Path, name: str, url: str, seed: int) -> None:
    """Post, until it is told to close and nothing is left open."""
    phone, journal = Phone(url), Journal(folder / f"{name}.journal")
    word, reference, deed = journal.last() or ("finished", f"{name}:0", {})
    while True:
        if word == "finished":
            if (folder / CLOSING).exists():
                return
            reference = f"{name}:{int(reference.partition(':')[2]) + 1}"
            deed = phone.ask(_thought_of(reference, seed))
            journal.write(("intends", reference, deed))
        journal.write(*done(phone, reference, deed), ("finished", reference, {}))
        word = "finished"


def done(phone: Phone, reference: str, deed: Deed) -> list[Line]:
    """Do it, and say what came of it: a line for each reference."""
    try:
        return phone.ask(lambda session: _carry_out(session, reference, deed))
    except LedgerError as refusal:
        refused = deed["items"] if deed["do"] == "batch" else {reference: deed}
        return [("refused", each, {"why": type(refusal).__name__}) for each in refused]


def _thought_of(reference: str, seed: int) -> Callable[[Session], Deed]:
    return lambda session: think(Random(f"{seed} {reference}"), session, reference)


def think(chance: Random, session: Session, reference: str) -> Deed:
    """Something to do, often about what somebody has just posted, so that clients race for it."""
    (do,) = chance.choices(
        ["post", "batch", "hold", "capture", "release", "reverse", "refund"], [40, 12, 16, 10, 6, 8, 8]
    )
    if do == "batch":
        items = {f"{reference}.{number}": _posting(chance) for number in range(1, chance.randint(3, 9))}
        return {"do": "batch", "atomic": chance.random() < 0.5, "items": items}
    if do == "hold":
        code, amount = _amount(chance)
        return {"do": "hold", "user": chance.choice(USERS), "asset": code, "amount": amount}
    of = {"capture": ("hold",), "release": ("hold",), "refund": ("pay-in", "transfer")}.get(do)
    found = [row for row in session.execute(RECENT) if of is None or row.kind in of]
    if do == "post" or not found:
        return _posting(chance)
    earlier = chance.choice(found)
    deed = {"do": do, "of": earlier.reference, "asset": earlier.asset}
    if do == "capture":
        deed["to"] = chance.choice([house("fees"), *map(available, USERS)])
    if do in ("capture", "refund"):
        deed["amount"] = chance.randint(1, int(earlier.amount))
    if do in ("reverse", "refund"):
        deed["debt"] = chance.random() < 0.3
    return deed


def _posting(chance: Random) -> Deed:
    code, amount = _amount(chance)
    one, other = map(available, chance.sample(USERS, 2))
    kind = chance.choice(["pay-in", "transfer", "transfer", "fee"])
    moves = {
        "pay-in": [[clearing("sandbox"), one, amount]],
        "transfer": [[one, other, amount], [one, house("fees"), 1]],
        "fee": [[one, house("fees"), amount]],
    }[kind]
    return {"do": "post", "kind": kind, "asset": code, "moves": moves}


def _amount(chance: Random) -> tuple[str, int]:
    code = chance.choice(list(MOST))
    return code, chance.randint(1, MOST[code])


def _carry_out(session: Session, reference: str, deed: Deed) -> list[Line]:
    if deed["do"] == "batch":
        return _post_batch(session, deed)
    posted = CALLS[deed["do"]](session, reference, deed)
    return [_acknowledged(reference, deed, posted.txn_id, posted.replayed)]


def _post_batch(session: Session, deed: Deed) -> list[Line]:
    items = [
        BatchItem(reference, item["kind"], postings(item), meta=deed_as_meta(item))
        for reference, item in deed["items"].items()
    ]
    outcomes = ledger.post_many(session, items, atomic=deed["atomic"])
    return [
        ("refused", item.reference, {"why": type(outcome.refusal).__name__})
        if outcome.refusal
        else _acknowledged(item.reference, deed["items"][item.reference], outcome.txn_id, outcome.replayed)
        for item, outcome in zip(items, outcomes, strict=True)
    ]


def _acknowledged(reference: str, deed: Deed, txn_id: int | None, replayed: bool) -> Line:
    return "acknowledged", reference, {**deed, "txn_id": txn_id, "replayed": replayed}


def postings(deed: Deed) -> list[Posting]:
    return [
        Posting(AccountKey(*source), AccountKey(*destination), Money(amount, asset(deed["asset"])))
        for source, destination, amount in deed["moves"]
    ]


def deed_as_meta(deed: Deed) -> dict[str, str]:
    """The whole content in words, to be found again in the transaction."""
    return {"deed": json.dumps({name: deed[name] for name in deed if name not in ("txn_id", "replayed")})}


CALLS: dict[str, Callable[[Session, str, Deed], ledger.Posted]] = {
    "post": lambda session, reference, deed: ledger.post(
        session, reference=reference, kind=deed["kind"], postings=postings(deed), meta=deed_as_meta(deed)
    ),
    "hold": lambda session, reference, deed: ledger.hold(
        session,
        reference=reference,
        kind="hold",
        user_id=deed["user"],
        amount=Money(deed["amount"], asset(deed["asset"])),
        meta=deed_as_meta(deed),
    ),
    "capture": lambda session, reference, deed: ledger.capture(
        session,
        hold_reference=deed["of"],
        reference=reference,
        destination=AccountKey(*deed["to"]),
        amount=Money(deed["amount"], asset(deed["asset"])),
        meta=deed_as_meta(deed),
    ),
    "release": lambda session, reference, deed: ledger.release(
        session, hold_reference=deed["of"], reference=reference, meta=deed_as_meta(deed)
    ),
    "reverse": lambda session, reference, deed: ledger.reverse(
        session,
        transaction_reference=deed["of"],
        reference=reference,
        reason=deed_as_meta(deed)["deed"],
        allow_debt=deed["debt"],
    ),
    "refund": lambda session, reference, deed: ledger.refund(
        session,
        transaction_reference=deed["of"],
        reference=reference,
        amount=Money(deed["amount"], asset(deed["asset"])),
        allow_debt=deed["debt"],
        meta=deed_as_meta(deed),
    ),
}


def keep_books(folder: Path, name: str, url: str, keys: tuple[tuple[str, bytes], ...]) -> None:
    """Roll up, seal and prove again and again, once more when told to close. Fails with the rows at fault."""
    phone, journal, pause, last = Phone(url), Journal(folder / f"{name}.journal"), Event(), False
    while not last:
        last = (folder / CLOSING).exists()
        report = phone.ask(lambda session: _books_kept(session, keys))
        assert report.is_right, report.differences
        journal.write(("proved", str(report.transactions), {}))
        pause.wait(PAUSE_SECONDS)


def _books_kept(session: Session, keys: tuple[tuple[str, bytes], ...]) -> check.LedgerReport:
    horizon.roll_up(session, least=1)
    for _ in seals.seal(session, keys):
        pass
    return check.run_quick(session, keys=keys)
