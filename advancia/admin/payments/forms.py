"""Forms about money in."""

from __future__ import annotations

from typing import Any

from wtforms import SelectField, StringField, SubmitField, ValidationError
from wtforms.validators import DataRequired, Length

from advancia.admin.forms import DebtForm, ReasonForm
from advancia.admin.lists import PROVIDERS, Filters
from advancia.admin.payments.standing import WORDS
from advancia.core import coin_addresses
from advancia.core.errors import DomainError
from advancia.core.money import Asset, Money
from advancia.ledger import InsufficientFunds
from advancia.web.forms import AmountField, RequestIdField, cleaned, options

LONGEST = 254
LONGEST_ADDRESS = 128


class DepositFilters(Filters):
    who = StringField("Customer", filters=[cleaned], validators=[Length(max=LONGEST)])
    state = SelectField(
        "State",
        default="",
        choices=options(("", "All"), *WORDS.items()),
    )
    provider = SelectField("Provider", default="", choices=PROVIDERS)


class DisputeFilters(Filters):
    state = SelectField(
        "State",
        default="",
        choices=options(
            ("", "All"),
            ("inquiry", "Inquiry"),
            ("open", "Open"),
            ("won", "Won"),
            ("lost", "Lost"),
            ("dropped", "Dropped"),
        ),
    )


class StrayFilters(Filters):
    state = SelectField(
        "State",
        default="",
        choices=options(
            ("", "All"),
            ("open", "Waiting"),
            ("credited", "Credited"),
            ("returned", "Given back"),
            ("taken", "Taken back"),
        ),
    )


class RefundForm(DebtForm):
    amount = AmountField("Amount")
    request_id = RequestIdField()

    def __init__(self, of_asset: Asset, *, amount: str | None = None) -> None:
        super().__init__(data={"amount": amount})
        self._asset = of_asset

    def validate_amount(self, field: AmountField) -> None:
        field.read(self._asset)

    def tell(self, refusal: DomainError) -> None:
        if isinstance(refusal, InsufficientFunds):
            super().tell(refusal)
        else:
            self.refuse(self.amount, str(refusal))

    @property
    def money(self) -> Money:
        """The amount, once the form is valid."""
        if self.amount.money is None:
            raise RuntimeError("The form has not been validated.")
        return self.amount.money


class CoinForm(ReasonForm):
    """Where coins go. The address is checked by the rules of the network that they came over."""

    address = StringField(
        "Address",
        filters=[cleaned],
        validators=[DataRequired("Enter an address"), Length(max=LONGEST_ADDRESS)],
    )
    request_id = RequestIdField()

    def __init__(self, network: str, **given: Any) -> None:
        super().__init__(**given)
        self.network = network
        self.address.label.text = f"Address on {coin_addresses.words_of(network)}"
        self.address.description = "Where the payer wants it. Ask them, and copy it: nobody can call it back."

    def validate_address(self, field: StringField) -> None:
        try:
            field.data = coin_addresses.checked(field.data or "", network=self.network)
        except coin_addresses.InvalidAddress as refusal:
            raise ValidationError(str(refusal)) from None


class CoinRefundForm(CoinForm, DebtForm):
    pass


class ReturnForm(ReasonForm):
    request_id = RequestIdField()


class CreditForm(ReasonForm):
    who = StringField(
        "Customer",
        filters=[cleaned],
        description="Whose money it is: email, @handle or id.",
        validators=[DataRequired("Say whose it is"), Length(max=LONGEST)],
    )
    send_back = SubmitField("Send back")

    def tell(self, refusal: DomainError) -> None:
        self.refuse(self.who, str(refusal))
