"""How staff carry something out: the form is looked at, the deed is done, and what refuses it is told in the form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import flash, url_for
from flask.typing import ResponseReturnValue

from advancia.admin.approvals.errors import NeedsSecondPerson
from advancia.admin.forms import StaffForm
from advancia.core.db import Session, db, in_unit_of_work
from advancia.core.errors import DomainError
from advancia.web.htmx import see_other


def carry_out(
    form: StaffForm,
    deed: Callable[[Session], object],
    *,
    page: Callable[[], ResponseReturnValue],
    then: str | Callable[[Any], str],
    said: str | None = None,
    ask: Callable[[Session], UUID] | None = None,
    late: tuple[type[DomainError], ...] = (),
) -> ResponseReturnValue:
    """Do it in a unit of work if the form is valid, say so, and lead on to `then`.

    `said` is the sentence, or else what the deed returns. `page` is the form's page with what was refused, a 422. What
    is too much for one person is asked for by `ask`. Refusals of the kinds in `late` say that somebody was quicker:
    they lead on as well.
    """
    if not form.validate_on_submit():
        return page()
    db.session.rollback()  # what was looked at for the form may be old: the deed looks anew
    try:
        done = in_unit_of_work(deed)
    except late as quicker:
        flash(str(quicker), "info")
        return see_other(then if isinstance(then, str) else then(None))
    except NeedsSecondPerson as large:
        if ask is None:
            raise
        return carry_out(form, ask, page=page, then=_approval, said=f"Asked. {large}")
    except DomainError as refusal:
        form.tell(refusal)
        return page()
    flash(said or str(done), "success")
    return see_other(then if isinstance(then, str) else then(done))


def _approval(approval_id: UUID) -> str:
    return url_for("admin.approvals.show", approval_id=approval_id)
