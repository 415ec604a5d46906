"""The filters of the history."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import DateField, SelectField
from wtforms.validators import Optional

from advancia.core.money import ASSETS
from advancia.wallet.queries import KIND_WORDS, Filters
from advancia.web.forms import NotBefore, options


class HistoryForm(FlaskForm):  # type: ignore[misc]
    """Sent by GET, so that the address of the page is the whole of its state."""

    class Meta:
        csrf = False

    asset = SelectField(
        "Asset",
        default="",
        choices=options(("", "All assets"), *((each.code, each.name) for each in ASSETS.values())),
    )
    direction = SelectField(
        "Direction",
        default="",
        choices=options(("", "In and out"), ("in", "Money in"), ("out", "Money out")),
    )
    kind = SelectField(
        "Kind",
        default="",
        choices=options(("", "All kinds"), *KIND_WORDS.items()),
    )
    since = DateField("From", validators=[Optional()])
    until = DateField("To", validators=[Optional(), NotBefore("since")])

    @property
    def filters(self) -> Filters:
        """What is wanted. Fields that make no sense are shown with their error and left out."""
        good = {name: field.data or None for name, field in self._fields.items() if not field.errors}
        return Filters(**good)
