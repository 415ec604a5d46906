"""Forms about staff."""

from __future__ import annotations

from wtforms import SelectField, StringField
from wtforms.validators import DataRequired, Length

from advancia.admin.forms import ReasonForm
from advancia.core.permissions import Role
from advancia.identity.forms import email_field
from advancia.web.forms import cleaned, options

ROLES = options(*((role.value, role.value.capitalize()) for role in Role if role is not Role.CUSTOMER))
LONGEST_NAME = 80


class RoleForm(ReasonForm):
    role = SelectField("Role", choices=ROLES)


class NewMemberForm(ReasonForm):
    email = email_field()
    name = StringField(
        "Name",
        filters=[cleaned],
        validators=[
            DataRequired("Enter their name"),
            Length(max=LONGEST_NAME, message=f"Use at most {LONGEST_NAME} characters"),
        ],
    )
    role = SelectField("Role", choices=ROLES)
