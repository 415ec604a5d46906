"""Where a deposit stands for its owner, which says more than its state: the words, the heading and the tint of each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    """The states of a deposit as its owner sees them, from the wish to what came after the payment."""

    CREATED = "created"
    PENDING = "pending"
    PAYING = "paying"  # back from the provider's page, and the provider has not told us yet
    UNDER_WAY = "under way"
    UNDERPAID = "underpaid"
    CHECKED = "locked"
    PAID = "paid"
    PARTLY_BACK = "partly back"
    GOES_BACK = "goes back"
    RETURNED = "returned"
    DISPUTED = "disputed"
    TAKEN = "taken"
    ROLLED_BACK = "rolled back"
    FAILED = "failed"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Look:
    """How a standing is shown. `tone` is that of its tag: good, waiting, bad, or nothing."""

    words: str
    heading: str
    tone: str = ""


ADDING = "Adding money"
LOOKS = {
    Standing.CREATED: Look("Not begun", ADDING, "waiting"),
    Standing.PENDING: Look("Waiting for your payment", ADDING, "waiting"),
    Standing.PAYING: Look("Waiting for the confirmation", ADDING, "waiting"),
    Standing.UNDER_WAY: Look("On its way", ADDING, "waiting"),
    Standing.UNDERPAID: Look("A part is missing", ADDING, "waiting"),
    Standing.CHECKED: Look("Being checked", "Being checked", "waiting"),
    Standing.PAID: Look("Paid in", "Money added", "good"),
    Standing.PARTLY_BACK: Look("Partly given back", "Money added"),
    Standing.GOES_BACK: Look("On its way back", "On its way back", "waiting"),
    Standing.RETURNED: Look("Given back", "Given back"),
    Standing.DISPUTED: Look("Held by a dispute", "Held by a dispute", "waiting"),
    Standing.TAKEN: Look("Taken back by your bank", "Taken back by your bank", "bad"),
    Standing.ROLLED_BACK: Look("Rolled back", "Rolled back"),
    Standing.FAILED: Look("Not paid", "Not paid", "bad"),
    Standing.EXPIRED: Look("Expired", "Expired"),
}
# The money is not, or not for long, in the wallet.
BACK = (Standing.GOES_BACK, Standing.RETURNED, Standing.DISPUTED, Standing.TAKEN, Standing.ROLLED_BACK)
# Nothing has come, and nothing will.
OVER = (Standing.FAILED, Standing.EXPIRED)
