"""Forms of identity."""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email
from wtforms import BooleanField, EmailField, Field, HiddenField, PasswordField, StringField
from wtforms.validators import DataRequired, InputRequired, Length, Regexp, StopValidation, ValidationError

from advancia.identity.services import passwords
from advancia.web.forms import Form, cleaned

BAD_EMAIL = "Enter an email address like name@example.com"
LONGEST_EMAIL = 254


def email_field(label: str = "Email") -> EmailField:
    return EmailField(
        label,
        filters=[cleaned],
        validators=[DataRequired(BAD_EMAIL), _spell_in_one_way],
    )


def _spell_in_one_way(_form: object, field: Field) -> None:
    """Refuse what is no address, and write the name of its host as everybody would.

    Full-width letters name the host that plain ones do, and `xn--bcher-kva.example` is `bücher.example`: whoever could
    choose how to write them would have many accounts, and many times the limits, with one mailbox.
    """
    try:
        address = field.data if len(field.data) <= LONGEST_EMAIL else ""
        field.data = validate_email(address, check_deliverability=False).normalized
    except EmailNotValidError:
        raise StopValidation(BAD_EMAIL) from None


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
