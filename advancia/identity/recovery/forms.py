"""Forms to get back in, and to change what one signs in with."""

from __future__ import annotations

from typing import Any

from wtforms import BooleanField, Field, HiddenField, PasswordField, StringField
from wtforms.validators import DataRequired, InputRequired, Length, Optional, ValidationError

from advancia.identity.forms import email_field
from advancia.identity.services import passwords
from advancia.identity.services.password_rules import Owner
from advancia.web.forms import Form, cleaned


class ForgottenPasswordForm(Form):
    email = email_field()


class NewPasswordForm(Form):
    """A new password for `owner`, judged by what others know of them."""

    password = PasswordField("New password", validators=[InputRequired("Choose a password")])

    def __init__(self, owner: Owner, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.owner = owner
        self.password.description = passwords.rule(owner)

    def validate_password(self, field: Field) -> None:
        if reason := passwords.weakness_for(self.owner, field.data):
            raise ValidationError(reason)


class ChangePasswordForm(NewPasswordForm):
    current = PasswordField("Current password", validators=[InputRequired("Enter your current password")])


class FinishFactorResetForm(NewPasswordForm):
    """The password; and a longer one, if the present one was only good enough beside the lost factor."""

    password = PasswordField("New password", validators=[Optional()])
    current = PasswordField("Password", validators=[InputRequired("Enter your password")])


class NewEmailForm(Form):
    email = email_field("New email")


class ProfileForm(Form):
    name = StringField(
        "Your name",
        filters=[cleaned],
        description="As people who send you money see it.",
        validators=[DataRequired("Enter your name"), Length(max=80, message="Use at most 80 characters")],
    )


class TermsForm(Form):
    terms = BooleanField(
        "I accept the new terms", validators=[DataRequired("Read and accept the terms to go on")]
    )
    next = HiddenField()
