"""Forms about customers."""

from __future__ import annotations

from wtforms import SelectField, StringField
from wtforms.validators import Length

from advancia.admin.lists import Filters
from advancia.web.forms import cleaned, options

LONGEST_SEARCH = 254


class CustomerFilters(Filters):
    q = StringField(
        "Email, @handle, name or id",
        filters=[cleaned],
        validators=[Length(max=LONGEST_SEARCH, message="Search for something shorter")],
    )
    state = SelectField(
        "State",
        default="",
        choices=options(("", "All"), ("active", "Active"), ("suspended", "Suspended")),
    )
