"""Forms about the inbox of webhooks."""

from __future__ import annotations

from wtforms import SelectField, StringField
from wtforms.validators import Length

from advancia.admin.lists import PROVIDERS, Filters
from advancia.web.forms import cleaned, options

LONGEST = 100


class InboxFilters(Filters):
    kind = StringField(
        "Kind",
        filters=[cleaned],
        validators=[Length(max=LONGEST, message="A kind is shorter")],
    )
    state = SelectField(
        "State",
        default="",
        choices=options(
            ("", "All"),
            ("received", "Received"),
            ("applied", "Applied"),
            ("ignored", "Ignored"),
            ("parked", "Parked"),
        ),
    )
    provider = SelectField("Provider", default="", choices=PROVIDERS)
