"""What forms share: an amount with its asset, ids minted with the form, and texts cleaned on the way in."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import BooleanField, Field, HiddenField, PasswordField, StringField, ValidationError
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # the stubs are behind
from wtforms.form import BaseForm

from advancia.core.money import Asset, InvalidAmount, Money
from advancia.web import typed

BACK = "This has not been sent yet. Check it and send it again."
MOST_MARKS = 30
STALE = "This form has been open for too long. Check it and send it again."


def cleaned(text: str | None) -> str:
    """Normal form (NFC), no control characters, no white space around."""
    normal = unicodedata.normalize("NFC", _with_few_marks(text or ""))
    return "".join(char for char in normal if unicodedata.category(char)[0] != "C").strip()


def _with_few_marks(text: str) -> str:
    """The text with no more than thirty marks (accents and the like) in a row, which no language needs.

    To bring marks into their order takes a time that grows with the square of their number: seconds, for a form full
    of them. Thirty is the bound of Unicode's own "Stream-Safe Text Format" (UAX #15).
    """
    if text.isascii():
        return text
    kept, marks = [], 0
    for char in text:
        is_mark = unicodedata.combining(unicodedata.normalize("NFKD", char)[0]) > 0
        marks = marks + 1 if is_mark else 0
        if marks <= MOST_MARKS:
            kept.append(char)
    return "".join(kept)


def options(*pairs: tuple[str, str]) -> list[Any]:
    """The choices of a select or radio field: what is sent, and what is read."""
    return [SelectChoice(value, words) for value, words in pairs]


def entered(field: StringField) -> str:
    """What the field of a valid form holds."""
    return field.data or ""


class NotBefore:
    """A validator: this day is not before the one in the field of that name, where both are given."""

    def __init__(self, first: str) -> None:
        self.first = first

    def __call__(self, form: BaseForm, field: Field) -> None:
        first = form[self.first].data
        if first and field.data and field.data < first:
            raise ValidationError("Choose a day that is not before the first")


class AmountField(StringField):
    """An amount as people type it. The form tells in which asset before it is validated."""

    money: Money | None = None

    def read(self, asset: Asset) -> None:
        """Set `money`, or raise `ValidationError` with an example of what would do."""
        try:
            self.money = Money.parse(self.data or "", asset)
        except InvalidAmount as refusal:
            raise ValidationError(str(refusal)) from None


class RequestIdField(HiddenField):
    """A UUID minted with the form: however often the form is sent, what it asks for happens once."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(default=lambda: str(uuid4()), **kwargs)

    @property
    def uuid(self) -> UUID:
        return UUID(entered(self))

    def renew(self) -> None:
        """Make the form a new one, which asks for something else."""
        self.data = str(uuid4())

    def pre_validate(self, _form: object) -> None:
        try:
            UUID(self.data or "")
        except ValueError:
            self.renew()
            raise ValidationError("This form was not complete. Check it and send it again.") from None


class Form(FlaskForm):  # type: ignore[misc]
    """A form of ours: with the CSRF token, and with a way to put a refusal beside the field it is about.

    On the page that somebody comes back to after a form could not be taken, it holds what they had typed.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.meta.csrf and (back := typed.come_back()) is not None:
            self._fill_in_again(back)

    def validate(self, extra_validators: Mapping[str, Sequence[Any]] | None = None) -> bool:
        valid: bool = super().validate(extra_validators)
        if "csrf_token" in self and self.csrf_token.errors:
            self.csrf_token.errors = [STALE]
        return valid

    def refuse(self, field: Field, message: str) -> None:
        """Show `message` at `field`, as if the form's own validation had found it."""
        field.errors = [*field.errors, message]

    def _fill_in_again(self, back: MultiDict[str, str]) -> None:
        """Take what was typed, if it was typed into this form."""
        if not set(back) <= set(self._fields):
            return
        for name, field in self._fields.items():
            if (name in back or isinstance(field, BooleanField)) and not isinstance(field, PasswordField):
                field.process(back)
        self.form_errors.append(BACK)
