"""Pages of backups: the list, one of them while it is made and afterwards, and the asking for one."""

from __future__ import annotations

from contextlib import suppress

from flask import Blueprint, current_app, flash, request, url_for
from flask.typing import ResponseReturnValue

from advancia.admin.forms import ReasonForm
from advancia.admin.lists import PAGE_SIZE, Filters, before_here, listed
from advancia.core.db import db, unit_of_work
from advancia.core.errors import DomainError, NotFound
from advancia.core.permissions import Permission
from advancia.identity import queries as people
from advancia.ops.backups import manifest, queries, services
from advancia.ops.backups import prune as pruned
from advancia.ops.backups.errors import BackupTrouble, BadManifest, NoSuchBackup
from advancia.ops.backups.models import Backup, Why
from advancia.ops.backups.services import AskedBefore
from advancia.ops.backups.words import size_words
from advancia.web.access import confirmed, current_actor, staff_required
from advancia.web.csrf import checked_by_its_form
from advancia.web.forms import entered
from advancia.web.htmx import render, see_other, tagged, unchanged

bp = Blueprint("backups", __name__, url_prefix="/backups")

LARGEST_ID = 2**63 - 1
WHYS = {Why.DAILY: "The night", Why.ASKED: "On request", Why.SAFETY: "Before a restore"}


@bp.get("/")
@staff_required(Permission.BACKUPS)
def index() -> ResponseReturnValue:
    rows = queries.backups(db.session(), before=before_here(), limit=PAGE_SIZE + 1)
    older = rows[PAGE_SIZE - 1].id if len(rows) > PAGE_SIZE else None
    page = listed(rows[:PAGE_SIZE], older=older, form=Filters(formdata=request.args))
    return render(
        "admin/backups/index.html",
        page=page,
        under_way=queries.under_way(db.session()),
        obstacle=_obstacle(),
        size_words=size_words,
        whys=WHYS,
    )


@bp.get("/new")
@staff_required(Permission.BACKUPS)
@confirmed
def new() -> ResponseReturnValue:
    return _form_page(ReasonForm())


@bp.post("/new")
@staff_required(Permission.BACKUPS)
@confirmed
@checked_by_its_form
def create() -> ResponseReturnValue:
    """Have the worker make one; a second click finds the first one's."""
    form, settings = ReasonForm(), current_app.extensions["settings"]
    if not form.validate_on_submit():
        return _form_page(form, status=422)
    services.forget_lost(settings)
    try:
        with unit_of_work() as session:
            backup_id = services.ask(
                session, actor=current_actor(), settings=settings, reason=entered(form.reason)
            )
    except AskedBefore as other:
        flash(str(other), "info")
        backup_id = other.backup_id
    except DomainError as refusal:
        form.refuse(form.reason, str(refusal))
        return _form_page(form, status=422)
    return see_other(url_for(".show", backup_id=backup_id))


@bp.get("/pruning")
@staff_required(Permission.BACKUPS)
@confirmed
def pruning() -> ResponseReturnValue:
    return _pruning_page(ReasonForm())


@bp.post("/pruning")
@staff_required(Permission.BACKUPS)
@confirmed
@checked_by_its_form
def prune() -> ResponseReturnValue:
    """Have the worker take away what is old enough; what goes is decided when it does."""
    form = ReasonForm()
    if not form.validate_on_submit():
        return _pruning_page(form, status=422)
    with unit_of_work() as session:
        services.ask_to_prune(session, actor=current_actor(), reason=entered(form.reason))
    flash("Asked. What goes is shown as pruned in a moment.", "success")
    return see_other(url_for(".index"))


@bp.get("/<int:backup_id>")
@staff_required(Permission.BACKUPS)
def show(backup_id: int) -> ResponseReturnValue:
    row = _row(backup_id)
    version = f"{row.state}-{row.written_bytes}-{row.expected_bytes}"
    if (same := unchanged(version)) is not None:
        return same
    page = render(
        "admin/backups/show.html",
        backup=row,
        version=version,
        manifest=_manifest(backup_id),
        proofs=queries.proofs_of(db.session(), backup_id),
        asker=_person(row.asked_by),
        size_words=size_words,
        whys=WHYS,
    )
    return tagged(page, version)


def _row(backup_id: int) -> queries.BackupRow:
    if backup_id > LARGEST_ID:
        raise NotFound
    try:
        return queries.row_of(db.session(), backup_id)
    except NoSuchBackup:
        raise NotFound from None


def _manifest(backup_id: int) -> manifest.Manifest | None:
    """What it says of itself; None where there is nothing, or nothing that this version can read."""
    told = db.session.get_one(Backup, backup_id).manifest
    with suppress(BadManifest):
        return manifest.read_dict(told)
    return None


def _person(user_id: int | None) -> people.Person | None:
    return people.people(db.session(), [user_id]).get(user_id) if user_id is not None else None


def _obstacle() -> str | None:
    """What stands in the way of making one."""
    try:
        services.check_set_up(current_app.extensions["settings"])
    except BackupTrouble as trouble:
        return str(trouble)
    return None


def _pruning_page(form: ReasonForm, status: int = 200) -> ResponseReturnValue:
    due = pruned.prune(current_app.extensions["settings"], dry_run=True)
    return render("admin/backups/pruning.html", status=status, form=form, due=due)


def _form_page(form: ReasonForm, status: int = 200) -> ResponseReturnValue:
    return render("admin/backups/new.html", status=status, form=form, obstacle=_obstacle())
