"""The double-entry ledger. Money moves by being posted, and in no other way; what does not post only reads.

All amounts are `Money` (whole minor units). Nothing here commits: the caller's unit of work does.
"""

from advancia.ledger.accounts import HOUSE, AccountKey, available, clearing, held, house, receivable
from advancia.ledger.batches import BatchItem, Outcome, post_many
from advancia.ledger.errors import (
    AlreadyDone,
    AlreadyRefunded,
    AlreadyResolved,
    AlreadyReversed,
    CaptureTooLarge,
    InsufficientFunds,
    LedgerError,
    MalformedPosting,
    NoSuchTransaction,
    NotRefundable,
    NotReversible,
    ReferenceConflict,
    RefundTooLarge,
)
from advancia.ledger.movements import capture, hold, refund, release, reverse
from advancia.ledger.posting import Posted, Posting, post
from advancia.ledger.queries import (
    Cursor,
    Direction,
    Entry,
    EntryRow,
    Holding,
    Transaction,
    balance,
    balances_of,
    entries_of,
    transaction,
    version_of,
)
from advancia.ledger.statements import Statement, StatementEntry, balance_at, statement_of

__all__ = [
    "HOUSE",
    "AccountKey",
    "AlreadyDone",
    "AlreadyRefunded",
    "AlreadyResolved",
    "AlreadyReversed",
    "BatchItem",
    "CaptureTooLarge",
    "Cursor",
    "Direction",
    "Entry",
    "EntryRow",
    "Holding",
    "InsufficientFunds",
    "LedgerError",
    "MalformedPosting",
    "NoSuchTransaction",
    "NotRefundable",
    "NotReversible",
    "Outcome",
    "Posted",
    "Posting",
    "ReferenceConflict",
    "RefundTooLarge",
    "Statement",
    "StatementEntry",
    "Transaction",
    "available",
    "balance",
    "balance_at",
    "balances_of",
    "capture",
    "clearing",
    "entries_of",
    "held",
    "hold",
    "house",
    "post",
    "post_many",
    "receivable",
    "refund",
    "release",
    "reverse",
    "statement_of",
    "transaction",
    "version_of",
]
