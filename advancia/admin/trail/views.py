"""Pages of the audit trail."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from sqlalchemy import Engine

from advancia.admin import sheets
from advancia.admin.lists import PAGE_SIZE, before_here, end_of, listed, start_of
from advancia.admin.trail import queries
from advancia.admin.trail.forms import TrailFilters
from advancia.admin.trail.queries import Wanted
from advancia.audit import AuditRecord
from advancia.core.clock import utcnow
from advancia.core.db import Session, db
from advancia.core.permissions import Permission
from advancia.identity import queries as identity
from advancia.web.access import staff_required
from advancia.web.forms import options
from advancia.web.htmx import render
from advancia.web.limits import limiter

bp = Blueprint("trail", __name__, url_prefix="/audit")

LONGEST_FILE = 50_000  # lines; more is taken along in several files, by dates
HEADING = (
    *("number", "recorded_at", "actor_id", "role", "action", "object_kind", "object_id"),
    *("before", "after", "reason", "address", "request_id"),
)


@bp.get("/")
@staff_required(Permission.SEE_AUDIT)
def index() -> ResponseReturnValue:
    session = db.session()
    form = _form(session)
    rows = queries.lines(session, _wanted(form), before=before_here(), limit=PAGE_SIZE + 1)
    older = rows[PAGE_SIZE - 1].id if len(rows) > PAGE_SIZE else None
    shown = rows[:PAGE_SIZE]
    return render(
        "admin/trail/index.html",
        form=form,
        page=listed(shown, older=older, form=form),
        changes={row.id: queries.changes(row) for row in shown},
        people=identity.people(session, {row.actor_id for row in shown if row.actor_id}),
        longest_file=LONGEST_FILE,
    )


@bp.get("/<int:line_id>")
@staff_required(Permission.SEE_AUDIT)
def show(line_id: int) -> ResponseReturnValue:
    session = db.session()
    line = queries.line(session, line_id)
    return render(
        "admin/trail/show.html",
        line=line,
        changes=queries.changes(line),
        people=identity.people(session, {line.actor_id} if line.actor_id else ()),
    )


@bp.get("/audit.csv")
@staff_required(Permission.SEE_AUDIT)
@limiter.limit("10 per minute")
def file() -> ResponseReturnValue:
    wanted = _wanted(_form(db.session()))
    return sheets.download(f"audit-{utcnow():%Y-%m-%d}.csv", HEADING, _rows(db.engine, wanted))


def _form(session: Session) -> TrailFilters:
    form = TrailFilters(formdata=request.args)
    known = queries.actions(session)
    form.action.choices = options(("", "Anything"), *((each, each) for each in known))
    form.validate()
    return form


def _wanted(form: TrailFilters) -> Wanted:
    return Wanted(
        who=form.good("who"),
        action=form.good("action"),
        kind=form.good("kind"),
        object_id=form.good("object_id"),
        since=start_of(form.good("since")),
        until=end_of(form.good("until")),
    )


def _rows(engine: Engine, wanted: Wanted) -> Iterator[Sequence[object]]:
    """The file's rows, read on a session of their own: they are still written when the request's has ended."""
    with Session(engine) as session:
        for line in queries.all_lines(session, wanted, limit=LONGEST_FILE):
            yield _row(line)


def _row(line: AuditRecord) -> Sequence[object]:
    return (
        *(line.id, line.recorded_at.isoformat(), line.actor_id, line.role, line.action),
        *(line.object_kind, line.object_id, _written(line.before), _written(line.after)),
        *(line.reason, line.address, line.request_id),
    )


def _written(facts: dict[str, object] | None) -> str | None:
    return None if facts is None else json.dumps(facts, ensure_ascii=False)
