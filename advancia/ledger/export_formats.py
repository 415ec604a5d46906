r"""How hledger, beancount and a spreadsheet want to read the ledger.

Texts of people are told on one line in one way: what cannot be printed, and what would mean something to the tool,
as the escapes of JSON (a line's end is `\n`, a comma in a tag is `\u002c`), so they can be read back exactly.
"""

from __future__ import annotations

import csv
import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple, Protocol

from advancia.ledger import chart

ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n", "'")
BEANCOUNT_DIGITS = 28  # with which it calculates; a larger sum would be rounded
ALWAYS = "1970-01-01"  # every account is open before anything is posted


class Account(NamedTuple):
    id: int
    holder: int
    asset: str
    purpose: str

    @property
    def name(self) -> str:
        return chart.name_of(self.holder, self.asset, self.purpose)


class Leg(NamedTuple):
    """An entry; plus is a credit. House accounts have no `seq` and no `balance_after`."""

    account: Account
    amount: int
    seq: int | None
    balance_after: int | None


class Transaction(NamedTuple):
    id: int
    reference: str
    kind: str
    request_id: str | None
    meta: str | None  # as JSON
    note: str | None
    posted_at: str
    effective_at: str | None
    is_hold: bool
    resolves_id: int | None
    reverses_id: int | None
    refunds_id: int | None
    legs: tuple[Leg, ...]

    @property
    def day(self) -> str:
        return self.posted_at[:10]

    def facts(self) -> list[tuple[str, str]]:
        """What there is to say about it beside its entries, by name."""
        told = {
            "reference": self.reference,
            "posted-at": self.posted_at,
            "effective-at": self.effective_at,
            "request-id": self.request_id,
            "hold": "yes" if self.is_hold else None,
            "resolves-id": self.resolves_id,
            "reverses-id": self.reverses_id,
            "refunds-id": self.refunds_id,
            "meta": self.meta,
        }
        return [(name, str(value)) for name, value in told.items() if value is not None]


class Format(Protocol):
    """A way to write transactions down."""

    def heading(self, first: int, last: int) -> str: ...
    def transaction(self, transaction: Transaction) -> str: ...


def figure(minor: int, decimals: int) -> str:
    """The amount in the asset's own unit, with all of its decimals, exactly."""
    digits = str(abs(minor)).rjust(decimals + 1, "0")
    point = len(digits) - decimals
    sign = "-" if minor < 0 else ""
    return f"{sign}{digits[:point]}.{digits[point:]}" if decimals else f"{sign}{digits}"


def on_one_line(text: str, special: str = "") -> str:
    """`text` with all that is special, not printable or a space at either end as JSON escapes it."""
    if (
        text.isprintable()
        and "\\" not in text
        and text == text.strip(" ")
        and not any(c in text for c in special)
    ):
        return text
    last = len(text) - 1
    return "".join(
        _escaped(each) if _is_special(each, special) or (each == " " and at in (0, last)) else each
        for at, each in enumerate(text)
    )


def _is_special(character: str, special: str) -> bool:
    return character == "\\" or character in special or not character.isprintable()


def _escaped(character: str) -> str:
    if character in ESCAPES:
        return ESCAPES[character]
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


class Journal(ABC):
    """What the tools of accountants have in common: accounts are opened, balances carried forward and asserted.

    Balances are given in minor units, plus is a credit; in what is written a debit is plus, as those tools have it.
    """

    def __init__(self, decimals: Mapping[str, int]) -> None:
        self.decimals = decimals

    @abstractmethod
    def heading(self, first: int, last: int) -> str: ...

    @abstractmethod
    def account(self, account: Account) -> str: ...

    def opening(self, account: Account, balance: int, day: str) -> str:
        opening = chart.opening_of(account.asset)
        moved = [(account.name, -balance), (opening, balance)]
        return self._carried(moved, account.asset, day) if balance else ""

    @abstractmethod
    def transaction(self, transaction: Transaction) -> str: ...

    def closing(self, account: Account, balance: int, day: str) -> str:
        return self._asserted(account.name, -balance, account.asset, day)

    def end(self, day: str) -> str:
        """What was carried forward must be zero in all. `day` is empty when there is nothing at all."""
        if not day:
            return ""
        return "".join(self._asserted(chart.opening_of(code), 0, code, day) for code in self.decimals)

    @abstractmethod
    def _carried(self, moved: Sequence[tuple[str, int]], code: str, day: str) -> str: ...

    @abstractmethod
    def _asserted(self, name: str, balance: int, code: str, day: str) -> str: ...

    def _amount(self, minor: int, code: str) -> str:
        return f"{figure(minor, self.decimals[code])} {code}"


class Hledger(Journal):
    """A journal of hledger."""

    def heading(self, first: int, last: int) -> str:
        lines = [f"; The ledger's transactions from {first} to {last}.", "decimal-mark ."]
        lines += [f"commodity 1000.{'0' * places} {code}" for code, places in self.decimals.items()]
        lines += [f"account {chart.opening_of(code)}" for code in self.decimals]
        return "\n".join(lines) + "\n"

    def account(self, account: Account) -> str:
        facts = f"account-id:{account.id}, holder:{account.holder}, purpose:{account.purpose}"
        return f"account {account.name}  ; {facts}\n"

    def transaction(self, transaction: Transaction) -> str:
        told = on_one_line(transaction.kind, ";|")
        if transaction.note:
            told += f" | {on_one_line(transaction.note, ';')}"
        facts = [f"    ; {name}:{on_one_line(value, ',')}" for name, value in transaction.facts()]
        moved = [(leg.account.name, -leg.amount, leg.account.asset) for leg in transaction.legs]
        lines = [f"    {name}  {self._amount(minor, code)}" for name, minor, code in moved]
        return "\n".join(["", f"{transaction.day} * ({transaction.id}) {told}", *facts, *lines, ""])

    def _carried(self, moved: Sequence[tuple[str, int]], code: str, day: str) -> str:
        lines = [f"    {name}  {self._amount(minor, code)}" for name, minor in moved]
        return "\n".join(["", f"{day} * carried forward", *lines, ""])

    def _asserted(self, name: str, balance: int, code: str, day: str) -> str:
        return f"\n{day} * balance\n    {name}  {self._amount(0, code)} = {self._amount(balance, code)}\n"


class Beancount(Journal):
    """A file of beancount, which asserts balances at the beginning of a day.

    Raises `OverflowError` for more than it can calculate with.
    """

    def __init__(self, decimals: Mapping[str, int]) -> None:
        super().__init__(decimals)
        self.moved = dict.fromkeys(decimals, 0)

    def heading(self, first: int, last: int) -> str:
        lines = [f";; The ledger's transactions from {first} to {last}."]
        lines += [f"{ALWAYS} commodity {code}" for code in self.decimals]
        lines += [f"{ALWAYS} open {chart.opening_of(code)} {code}" for code in self.decimals]
        return "\n".join(lines) + "\n"

    def account(self, account: Account) -> str:
        return (
            f"{ALWAYS} open {account.name} {account.asset}\n"
            f'  account-id: "{account.id}"\n  holder: "{account.holder}"\n  purpose: "{account.purpose}"\n'
        )

    def transaction(self, transaction: Transaction) -> str:
        told = f"{_quoted(transaction.kind)} {_quoted(transaction.note or '')}"
        facts = [("id", str(transaction.id)), *transaction.facts()]
        moved = [(leg.account.name, -leg.amount, leg.account.asset) for leg in transaction.legs]
        return "\n".join(
            [
                "",
                f"{transaction.day} * {told}",
                *(f"  {name}: {_quoted(value)}" for name, value in facts),
                *(f"  {name}  {self._moved(minor, code)}" for name, minor, code in moved),
                "",
            ]
        )

    def _carried(self, moved: Sequence[tuple[str, int]], code: str, day: str) -> str:
        lines = [f"  {name}  {self._moved(minor, code)}" for name, minor in moved]
        return "\n".join(["", f'{day} * "carried forward" ""', *lines, ""])

    def _asserted(self, name: str, balance: int, code: str, day: str) -> str:
        # "~ 0": without it, beancount lets a difference of one unit pass.
        morrow = date.fromisoformat(day) + timedelta(days=1)
        return f"{morrow} balance {name}  {figure(balance, self.decimals[code])} ~ 0 {code}\n"

    def _moved(self, minor: int, code: str) -> str:
        self.moved[code] += abs(minor)
        if self.moved[code] >= 10**BEANCOUNT_DIGITS:
            raise OverflowError(
                f"Beancount calculates with {BEANCOUNT_DIGITS} digits and would round what was moved in {code}: "
                "export a shorter range, or for hledger."
            )
        return self._amount(minor, code)


class Csv:
    """A table with a line an entry. Amounts are signed as in the ledger: plus is a credit."""

    COLUMNS = (
        *("transaction_id", "posted_at", "effective_at", "reference", "kind", "note"),
        *("account_id", "account", "holder", "asset", "purpose", "amount", "seq", "balance_after"),
        *("hold", "resolves_id", "reverses_id", "refunds_id", "request_id", "meta"),
    )

    def __init__(self, decimals: Mapping[str, int]) -> None:
        self.decimals = decimals

    def heading(self, first: int, last: int) -> str:  # noqa: ARG002 - a table has no room for it
        return _lines([self.COLUMNS])

    def transaction(self, transaction: Transaction) -> str:
        return _lines([self._row(transaction, leg) for leg in transaction.legs])

    def _row(self, txn: Transaction, leg: Leg) -> Sequence[object]:
        account, places = leg.account, self.decimals[leg.account.asset]
        after = None if leg.balance_after is None else figure(leg.balance_after, places)
        return (
            *(
                txn.id,
                txn.posted_at,
                txn.effective_at,
                _cell(txn.reference),
                _cell(txn.kind),
                _cell(txn.note),
            ),
            *(account.id, account.name, account.holder, account.asset, account.purpose),
            *(figure(leg.amount, places), leg.seq, after),
            *("yes" if txn.is_hold else None, txn.resolves_id, txn.reverses_id, txn.refunds_id),
            *(_cell(txn.request_id), _cell(txn.meta)),
        )


def _quoted(text: str) -> str:
    quoted = on_one_line(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'


def _cell(text: str | None) -> str | None:
    """A text that no spreadsheet takes for a formula: one ' is put before what begins like one, or with a '."""
    return f"'{text}" if text and text.startswith(FORMULA_BEGINS) else text


def _lines(rows: Sequence[Sequence[object]]) -> str:
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\n").writerows(rows)
    return written.getvalue()


FORMATS: dict[str, Callable[[Mapping[str, int]], Format]] = {
    "hledger": Hledger,
    "beancount": Beancount,
    "csv": Csv,
}
