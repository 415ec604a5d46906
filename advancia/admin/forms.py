"""What the forms of staff share: a reason for every change."""

from __future__ import annotations

from wtforms import TextAreaField
from wtforms.validators import DataRequired, Length

from advancia.web.forms import Form, cleaned

LONGEST_REASON = 1000


def on_one_line(text: str | None) -> str:
    """Cleaned, with what stood on several lines on one."""
    return cleaned(" ".join((text or "").split()))


class ReasonForm(Form):
    """Why something is done; it goes into the audit trail for good."""

    reason = TextAreaField(
        "Reason",
        filters=[on_one_line],
        description="Kept in the audit trail for good. Name the ticket or the case, and no secrets.",
        validators=[
            DataRequired("Say why"),
            Length(max=LONGEST_REASON, message=f"Use at most {LONGEST_REASON} characters"),
        ],
    )
