"""Forms of identity."""

from __future__ import annotations

from wtforms import BooleanField, EmailField, Field, HiddenField, PasswordField, StringField
from wtforms.validators import DataRequired, Email, InputRequired, Length, Regexp, ValidationError

from advancia.identity.services import passwords
from advancia.web.forms import Form, cleaned

BAD_EMAIL = "Enter an email address like name@example.com"


def email_field(label: str = "Email") -> EmailField:
    return EmailField(
        label,
        filters=[cleaned],
        validators=[DataRequired(BAD_EMAIL), Email(BAD_EMAIL), Length(max=254, message=BAD_EMAIL)],
    )


class SignUpForm(Form):
    name = StringField(
        "Your name",
        filters=[cleaned],
        description="As people who send you money should see it.",
        validators=[DataRequired("Enter your name"), Length(max=80, message="Use at most 80 characters")],
    )
    email = email_field()
    password = PasswordField(
        "Password",
        description=f"At least {passwords.SHORTEST} characters. A few words in a row are easy to remember.",
        validators=[InputRequired("Choose a password")],
    )
    terms = BooleanField(
        "I accept the terms", validators=[DataRequired("Read and accept the terms to go on")]
    )

    def validate_password(self, field: Field) -> None:
        if reason := passwords.weakness(field.data, name=self.name.data or "", email=self.email.data or ""):
            raise ValidationError(reason)


class VerifyEmailForm(Form):
    code = StringField(
        "Code",
        filters=[lambda typed: "".join((typed or "").split())],
        validators=[Regexp(r"^[0-9]{6}$", message="Enter the 6 digits of the code")],
    )


class LogInForm(Form):
    email = email_field()
    password = PasswordField("Password", validators=[InputRequired("Enter your password")])
    next = HiddenField()
