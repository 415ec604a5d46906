"""The form that asks for a run."""

from __future__ import annotations

from advancia.admin.forms import ReasonForm
from advancia.web.forms import RequestIdField


class RunForm(ReasonForm):
    request_id = RequestIdField()
