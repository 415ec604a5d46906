"""The page that asks a customer for the newest terms, and what leads there: the wallet waits until they are accepted.

Settings stay open to who does not accept, so that nobody is kept from guarding their account.
"""

from __future__ import annotations

from flask import Response, current_app, flash, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from advancia.core.db import unit_of_work
from advancia.identity.recovery import terms
from advancia.identity.recovery.blueprint import bp
from advancia.identity.recovery.forms import TermsForm
from advancia.web import typed
from advancia.web.access import Access, access_of, current_actor, home_url, is_ours, page_here, signed_in
from advancia.web.csrf import checked_by_its_form
from advancia.web.htmx import render, see_other
from advancia.web.public import TERMS_EFFECTIVE, TERMS_VERSION


@bp.before_app_request
def ask_for_new_terms() -> ResponseReturnValue | None:
    """Lead customers to the newest terms before anything with money, and from there back."""
    view = current_app.view_functions.get(request.endpoint or "")
    if access_of(view) is not Access.CUSTOMER or current_user.terms_version == TERMS_VERSION:
        return None
    typed.keep(
        otherwise="There are new terms. Nothing was changed.",
        kept="There are new terms. What you typed will be there afterwards.",
    )
    return see_other(url_for("recovery.new_terms", next=page_here()))


@bp.get("/terms/acceptance")
@signed_in
def new_terms() -> ResponseReturnValue:
    if current_user.terms_version == TERMS_VERSION:
        return see_other(home_url())
    return _page(TermsForm(next=request.args.get("next")))


@bp.post("/terms/acceptance")
@signed_in
@checked_by_its_form
def accept_terms() -> ResponseReturnValue:
    form = TermsForm()
    if not form.validate_on_submit():
        return _page(form, status=422)
    with unit_of_work() as session:
        terms.accept(session, actor=current_actor(), version=TERMS_VERSION)
    flash("Thank you. You have accepted the new terms.", "success")
    wanted = form.next.data
    return see_other(wanted if wanted and is_ours(wanted) else home_url())


def _page(form: TermsForm, status: int = 200) -> Response:
    return render("recovery/terms.html", status=status, form=form, effective=TERMS_EFFECTIVE)
