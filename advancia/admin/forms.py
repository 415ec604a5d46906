"""What the forms of staff share: a reason for every change."""

from __future__ import annotations

from wtforms import BooleanField, TextAreaField
from wtforms.validators import DataRequired, Length

from advancia.core.errors import DomainError
from advancia.ledger import InsufficientFunds
from advancia.web.forms import Form, cleaned

LONGEST_REASON = 1000


def on_one_line(text: str | None) -> str:
    """Cleaned, with what stood on several lines on one."""
    return cleaned(" ".join((text or "").split()))


class StaffForm(Form):
    """A form that knows beside which of its fields a refusal stands."""

    def tell(self, refusal: DomainError) -> None:
        raise NotImplementedError


class ReasonForm(StaffForm):
    """Why something is done; it goes into the audit trail for good."""

    reason = TextAreaField(
        "Reason",
        filters=[on_one_line],
        description="Kept in the audit trail for good. Name the ticket or the case, and no secrets.",
        validators=[
            DataRequired("Say why"),
            Length(max=LONGEST_REASON, message=f"Use at most {LONGEST_REASON} characters"),
        ],
    )

    def tell(self, refusal: DomainError) -> None:
        self.refuse(self.reason, str(refusal))


class DebtForm(ReasonForm):
    """A reason to take money back, of which a part may have been spent. The page shows the box once it is."""

    allow_debt = BooleanField("Book what is missing as a debt of the customer")
    or_a_debt = "Book the rest as their debt, or take less."

    def tell(self, refusal: DomainError) -> None:
        if isinstance(refusal, InsufficientFunds):
            self.refuse(self.allow_debt, f"{refusal} {self.or_a_debt}")
        else:
            super().tell(refusal)
