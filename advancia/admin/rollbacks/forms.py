"""The form of a rollback."""

from __future__ import annotations

from advancia.admin.forms import DebtForm
from advancia.web.forms import RequestIdField


class RollbackForm(DebtForm):
    or_a_debt = "A part of the money was spent meanwhile. Book it as a debt, or leave it."
    request_id = RequestIdField()
