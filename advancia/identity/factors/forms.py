"""Forms of second factors. What proves somebody is never filled in again."""

from __future__ import annotations

import unicodedata

from wtforms import HiddenField, PasswordField, StringField
from wtforms.validators import DataRequired, InputRequired, Length, Regexp

from advancia.identity.factors.services import recovery_codes
from advancia.web.forms import Form, cleaned

NAME_LENGTH = 60
SIX_DIGITS = "Enter the 6 digits that your app shows now"


def digits_only(typed: str | None) -> str:
    """A code as it is typed, with spaces or in the digits of another script, as plain digits."""
    return "".join(
        str(unicodedata.decimal(char)) if char.isdecimal() else char
        for char in typed or ""
        if not char.isspace()
    )


class CodeField(StringField):
    """A code as it is typed. The page never shows it again."""

    def _value(self) -> str:
        return ""


class AnswerField(HiddenField):
    """What a passkey has signed, put there by the script. The page never holds it again: it is good for one try."""

    def _value(self) -> str:
        return ""


def app_code_field(label: str = "Code from your app") -> CodeField:
    return CodeField(
        label,
        filters=[digits_only],
        description="Six digits. A new code comes every 30 seconds, and each can be used once.",
        validators=[InputRequired(SIX_DIGITS), Regexp(r"^[0-9]{6}$", message=SIX_DIGITS)],
    )


def recovery_code_field() -> CodeField:
    return CodeField(
        "Recovery code",
        filters=[recovery_codes.plain],
        description="One of the ten codes that you kept. Capital or small letters, with or without hyphens.",
        validators=[
            InputRequired("Enter one of your recovery codes"),
            Regexp(
                recovery_codes.FORM,
                message=f"Enter the {recovery_codes.LENGTH} letters and digits of one of your recovery codes",
            ),
        ],
    )


class AppForm(Form):
    """The last step of setting up an app."""

    code = app_code_field("Code that the app shows")


class NameForm(Form):
    name = StringField(
        "Name",
        filters=[cleaned],
        description="So that you know it again: the device or the place it is kept in.",
        validators=[
            DataRequired("Enter a name, like “Work laptop”"),
            Length(max=NAME_LENGTH, message=f"Use at most {NAME_LENGTH} characters"),
        ],
    )


class NewPasskeyForm(NameForm):
    credential = AnswerField(
        validators=[DataRequired("Your browser has not made a passkey. Press the button to try again.")]
    )


class PasskeySignInForm(Form):
    credential = AnswerField(validators=[DataRequired()])
    next = HiddenField()


class ProofForm(Form):
    """Whatever proves somebody: by an app's code, a recovery code, a passkey, the password, or two of them.

    Fields that are not asked for are left out by `ask_for`, and so is whatever a request puts there.
    """

    password = PasswordField("Password", validators=[InputRequired("Enter your password")])
    code = app_code_field()
    recovery_code = recovery_code_field()
    credential = AnswerField(
        validators=[DataRequired("Your browser has not shown a passkey. Press the button to try again.")]
    )

    def ask_for(self, *names: str) -> None:
        """Keep these fields alone."""
        for name in ("password", "code", "recovery_code", "credential"):
            if name not in names:
                delattr(self, name)
