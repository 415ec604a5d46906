"""The form of a rollback."""

from __future__ import annotations

from wtforms import BooleanField

from advancia.admin.forms import ReasonForm
from advancia.web.forms import RequestIdField


class RollbackForm(ReasonForm):
    allow_debt = BooleanField("Book what is missing as a debt of the customer")
    request_id = RequestIdField()
