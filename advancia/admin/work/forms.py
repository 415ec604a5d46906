"""The filters of background work."""

from __future__ import annotations

from wtforms import SelectField

from advancia.admin.lists import Filters
from advancia.core.jobs import Job
from advancia.web.forms import options


def words_for(kind: str) -> str:
    return kind.replace("_", " ").capitalize()


class WorkFilters(Filters):
    kind = SelectField(
        "What", default="", choices=options(("", "All"), *((job.value, words_for(job.value)) for job in Job))
    )
    state = SelectField(
        "State",
        default="",
        choices=options(("", "All"), ("waiting", "Waiting"), ("done", "Done"), ("parked", "Parked")),
    )
