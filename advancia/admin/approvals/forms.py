"""Forms about approvals."""

from __future__ import annotations

from wtforms import SelectField

from advancia.admin.lists import Filters
from advancia.web.forms import options


class ApprovalFilters(Filters):
    state = SelectField(
        "State",
        default="",
        choices=options(
            ("", "All"),
            ("open", "Open"),
            ("granted", "Granted"),
            ("refused", "Refused"),
            ("withdrawn", "Withdrawn"),
        ),
    )
