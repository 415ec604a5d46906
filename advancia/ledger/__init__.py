"""The double-entry ledger. `post` is the only way in which money moves; everything else here reads.

All amounts are `Money` (whole minor units). Nothing here commits: the caller's unit of work does.
"""

from advancia.ledger.accounts import HOUSE, AccountKey, available, clearing, held, house, receivable
from advancia.ledger.errors import InsufficientFunds, LedgerError, MalformedPosting, ReferenceConflict
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

__all__ = [
    "HOUSE",
    "AccountKey",
    "Cursor",
    "Direction",
    "Entry",
    "EntryRow",
    "Holding",
    "InsufficientFunds",
    "LedgerError",
    "MalformedPosting",
    "Posted",
    "Posting",
    "ReferenceConflict",
    "Transaction",
    "available",
    "balance",
    "balances_of",
    "clearing",
    "entries_of",
    "held",
    "house",
    "post",
    "receivable",
    "transaction",
    "version_of",
]
