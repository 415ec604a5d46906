"""The filters of the list of transactions."""

from __future__ import annotations

from wtforms import DateField, SelectField, StringField
from wtforms.validators import Length, Optional, Regexp

from advancia.admin.lists import Filters
from advancia.admin.parties import KIND_WORDS
from advancia.core.money import ASSETS
from advancia.web.forms import NotBefore, cleaned, options

LONGEST_REFERENCE = 200


class TransactionFilters(Filters):
    kind = SelectField("Kind", default="", choices=options(("", "All kinds"), *KIND_WORDS.items()))
    asset = SelectField(
        "Asset", default="", choices=options(("", "All assets"), *((code, code) for code in ASSETS))
    )
    customer = StringField(
        "Customer's id",
        filters=[cleaned],
        validators=[Optional(), Regexp(r"^[0-9]{1,18}$", message="Enter a number")],
    )
    reference = StringField(
        "Reference or id",
        filters=[cleaned],
        validators=[Length(max=LONGEST_REFERENCE, message="A reference is shorter")],
    )
    since = DateField("From", validators=[Optional()])
    until = DateField("To", validators=[Optional(), NotBefore("since")])
