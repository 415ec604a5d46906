"""The form of a deposit."""

from __future__ import annotations

from wtforms import HiddenField, RadioField
from wtforms.validators import AnyOf

from advancia.core.money import Money, asset
from advancia.web.forms import AmountField, Form, RequestIdField


class DepositForm(Form):
    asset = HiddenField(
        default="USD", validators=[AnyOf(["USD"], message="Only US dollars can be paid in by card")]
    )
    amount = AmountField("Amount in US dollars")
    provider = RadioField("How you pay")
    request_id = RequestIdField()

    def validate_amount(self, field: AmountField) -> None:
        field.read(asset("USD"))

    @property
    def money(self) -> Money:
        """The amount, once the form is valid."""
        if self.amount.money is None:
            raise RuntimeError("The form has not been validated.")
        return self.amount.money
