"""The form of a deposit."""

from __future__ import annotations

from wtforms import HiddenField, RadioField
from wtforms.validators import AnyOf

from advancia.core.money import ASSETS, Money, asset
from advancia.web.forms import AmountField, Form, RequestIdField, options

WORDS = {"USD": "US dollars", "BTC": "bitcoin", "ETH": "ether", "USDT": "tether"}


class DepositForm(Form):
    asset = HiddenField(default="USD", validators=[AnyOf(list(WORDS), message="This cannot be paid in")])
    amount = AmountField("Amount in US dollars")
    provider = RadioField("How you pay")
    request_id = RequestIdField()

    def offer(self, *ways: tuple[str, str]) -> None:
        """Fill in what fits the asset: the amount's label, and the ways to pay, of which the first is chosen."""
        self.amount.label.text = f"Amount in {WORDS.get(self.code, self.code)}"
        self.provider.choices = options(*ways)
        if ways and (not self.provider.data or self.provider.data == "None"):
            self.provider.data = ways[0][0]

    def validate_amount(self, field: AmountField) -> None:
        if self.code in ASSETS:
            field.read(asset(self.code))

    @property
    def code(self) -> str:
        return str(self.asset.data or "")

    @property
    def money(self) -> Money:
        """The amount, once the form is valid."""
        if self.amount.money is None:
            raise RuntimeError("The form has not been validated.")
        return self.amount.money
