"""The filters of the audit trail."""

from __future__ import annotations

from wtforms import DateField, SelectField, StringField
from wtforms.validators import Length, Optional

from advancia.admin.lists import Filters
from advancia.web.forms import NotBefore, cleaned, options

LONGEST = 254
KINDS = (
    *("user", "transaction", "approval", "deposit", "refund", "dispute", "stray", "webhook", "page"),
    *("alarm", "clock"),
)


class TrailFilters(Filters):
    who = StringField(
        "Who",
        filters=[cleaned],
        validators=[Length(max=LONGEST, message="Enter an email, an @handle, an id, system or stranger")],
    )
    action = SelectField("What", default="", filters=[cleaned], validate_choice=False)
    kind = SelectField(
        "On what",
        default="",
        choices=options(("", "Anything"), *((kind, kind.capitalize()) for kind in KINDS)),
    )
    object_id = StringField(
        "Its id", filters=[cleaned], validators=[Length(max=LONGEST, message="An id is shorter")]
    )
    since = DateField("From", validators=[Optional()])
    until = DateField("To", validators=[Optional(), NotBefore("since")])
