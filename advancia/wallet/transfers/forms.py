"""The form of a transfer."""

from __future__ import annotations

from wtforms import HiddenField, SelectField, StringField
from wtforms.validators import DataRequired, Length, ValidationError

from advancia.core.money import ASSETS, Money
from advancia.web.forms import AmountField, Form, RequestIdField, cleaned, options

NOTE_LENGTH = 140


class TransferForm(Form):
    recipient = StringField(
        "Who gets it",
        filters=[cleaned],
        description="An email, or a handle like @amara",
        validators=[
            DataRequired("Enter an email or a handle"),
            Length(max=254, message="Enter an email or a handle"),
        ],
    )
    asset = SelectField(
        "Asset", choices=options(*((each.code, f"{each.code} · {each.name}") for each in ASSETS.values()))
    )
    amount = AmountField("Amount")
    note = StringField(
        "Note",
        filters=[cleaned],
        description="Optional. The other person sees it too.",
        validators=[Length(max=NOTE_LENGTH, message=f"Use at most {NOTE_LENGTH} characters")],
    )
    request_id = RequestIdField()

    def validate_amount(self, field: AmountField) -> None:
        of_asset = ASSETS.get(self.asset.data)
        if of_asset is None:
            raise ValidationError("Choose an asset first")
        field.read(of_asset)

    @property
    def money(self) -> Money:
        """The amount, once the form is valid."""
        if self.amount.money is None:
            raise RuntimeError("The form has not been validated.")
        return self.amount.money


class SigningForm(Form):
    """The same fields as they stand on the review, where nothing is left to type."""

    recipient = HiddenField()
    asset = HiddenField()
    amount = HiddenField()
    note = HiddenField()
    request_id = HiddenField()
