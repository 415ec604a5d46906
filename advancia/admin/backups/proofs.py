"""Pages of proofs: the asking for one, and what it finds, step by step, while it is under way and afterwards."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, flash, url_for
from flask.typing import ResponseReturnValue

from advancia.admin.forms import ReasonForm
from advancia.core.db import db, unit_of_work
from advancia.core.errors import DomainError, NotFound, in_words
from advancia.core.permissions import Permission
from advancia.ops.backups import proof, proof_asking, queries
from advancia.ops.backups.errors import NoSuchBackup
from advancia.ops.backups.proof_asking import ProvenAlready
from advancia.web.access import confirmed, current_actor, staff_required
from advancia.web.csrf import checked_by_its_form
from advancia.web.forms import entered
from advancia.web.htmx import render, see_other, tagged, unchanged

bp = Blueprint("proofs", __name__, url_prefix="/proofs")

LARGEST_ID = 2**63 - 1


@bp.get("/new/<int:backup_id>")
@staff_required(Permission.BACKUPS)
@confirmed
def new(backup_id: int) -> ResponseReturnValue:
    return _form_page(ReasonForm(), backup_id)


@bp.post("/new/<int:backup_id>")
@staff_required(Permission.BACKUPS)
@confirmed
@checked_by_its_form
def create(backup_id: int) -> ResponseReturnValue:
    """Have the worker prove it; a second click finds the first one's."""
    form = ReasonForm()
    if not form.validate_on_submit():
        return _form_page(form, backup_id, status=422)
    try:
        with unit_of_work() as session:
            proof_id = proof_asking.ask(
                session, actor=current_actor(), backup_id=_within(backup_id), reason=entered(form.reason)
            )
    except ProvenAlready as other:
        flash(str(other), "info")
        proof_id = other.proof_id
    except DomainError as refusal:
        form.refuse(form.reason, str(refusal))
        return _form_page(form, backup_id, status=422)
    return see_other(url_for(".show", proof_id=proof_id))


@bp.get("/<int:proof_id>")
@staff_required(Permission.BACKUPS)
def show(proof_id: int) -> ResponseReturnValue:
    found = proof.proof_of(db.session(), _within(proof_id))
    if found is None:
        raise NotFound
    version = f"{found.state}-{len(found.findings)}"
    if (same := unchanged(version)) is not None:
        return same
    lag = None if found.lag_seconds is None else in_words(timedelta(seconds=found.lag_seconds))
    page = render("admin/backups/proof.html", proof=found, version=version, lag=lag)
    return tagged(page, version)


def _form_page(form: ReasonForm, backup_id: int, status: int = 200) -> ResponseReturnValue:
    try:
        backup = queries.row_of(db.session(), _within(backup_id))
    except NoSuchBackup:
        raise NotFound from None
    return render("admin/backups/prove.html", status=status, form=form, backup=backup)


def _within(number: int) -> int:
    """The number, or one that nothing has where it is larger than any can be."""
    return number if number <= LARGEST_ID else -1
