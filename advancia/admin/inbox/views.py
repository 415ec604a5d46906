"""Pages of the inbox: every event that a provider has sent, what became of it, and another try."""

from __future__ import annotations

import json
from collections.abc import Callable

from flask import Blueprint, flash, request, url_for
from flask.typing import ResponseReturnValue

from advancia.admin.carrying_out import carry_out
from advancia.admin.forms import ReasonForm
from advancia.admin.inbox import queries as inbox
from advancia.admin.inbox.forms import InboxFilters
from advancia.admin.inbox.queries import Shown
from advancia.admin.inbox.words import plain
from advancia.admin.lists import PAGE_SIZE, before_here, listed
from advancia.core.db import db, unit_of_work
from advancia.core.permissions import Permission
from advancia.wallet.queries import PROVIDER_WORDS
from advancia.web.access import confirmed, current_actor, staff_required
from advancia.web.csrf import checked_by_its_form
from advancia.web.forms import entered
from advancia.web.htmx import render, see_other, tagged, unchanged
from advancia.webhooks import queries, services

bp = Blueprint("inbox", __name__, url_prefix="/webhooks")


@bp.get("/")
@staff_required(Permission.RECONCILE)
def index() -> ResponseReturnValue:
    form = InboxFilters(formdata=request.args)
    form.validate()
    rows = queries.inbox(
        db.session(),
        provider=form.good("provider"),
        kind=form.good("kind"),
        state=form.good("state"),
        before=before_here(),
        size=PAGE_SIZE + 1,
    )
    older = rows[PAGE_SIZE - 1].id if len(rows) > PAGE_SIZE else None
    page = listed(rows[:PAGE_SIZE], older=older, form=form)
    return render("admin/inbox/index.html", form=form, page=page, plain=plain, provider_words=PROVIDER_WORDS)


@bp.get("/<int:event_id>")
@staff_required(Permission.RECONCILE)
def show(event_id: int) -> ResponseReturnValue:
    shown = inbox.shown(db.session(), event_id)
    same = unchanged(shown.version)
    return _page(ReasonForm(), shown) if same is None else same


@bp.post("/<int:event_id>/replay")
@staff_required(Permission.REPLAY_WEBHOOKS)
def replay(event_id: int) -> ResponseReturnValue:
    with unit_of_work() as session:
        services.replay(session, event_id=event_id, actor=current_actor())
    flash("Put back to work. The provider is asked how things stand now.", "success")
    return see_other(url_for(".show", event_id=event_id))


@bp.post("/<int:event_id>/parking")
@staff_required(Permission.REPLAY_WEBHOOKS)
@checked_by_its_form
def park(event_id: int) -> ResponseReturnValue:
    return _with_reason(event_id, services.park, said="Parked.")


@bp.post("/<int:event_id>/settlement")
@staff_required(Permission.REPLAY_WEBHOOKS)
@confirmed
@checked_by_its_form
def settle(event_id: int) -> ResponseReturnValue:
    return _with_reason(event_id, services.close, said="Settled.")


def _with_reason(event_id: int, deed: Callable[..., None], *, said: str) -> ResponseReturnValue:
    form, actor = ReasonForm(), current_actor()
    return carry_out(
        form,
        lambda session: deed(session, event_id=event_id, actor=actor, reason=entered(form.reason)),
        page=lambda: _page(form, inbox.shown(db.session(), event_id), status=422),
        then=url_for(".show", event_id=event_id),
        said=said,
    )


def _page(form: ReasonForm, shown: Shown, status: int = 200) -> ResponseReturnValue:
    page = render(
        "admin/inbox/show.html",
        status=status,
        form=form,
        shown=shown,
        event=shown.event,
        row=shown.event.row,
        provider_words=PROVIDER_WORDS,
        body=_set_out(shown.event.body),
    )
    return tagged(page, shown.version)


def _set_out(body: str) -> str:
    """The body for reading; as it came where it is not JSON."""
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body
