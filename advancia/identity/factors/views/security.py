"""The page on which a person sees how their account is guarded."""

from __future__ import annotations

from flask.typing import ResponseReturnValue
from flask_login import current_user

from advancia.core.db import db
from advancia.core.permissions import is_staff
from advancia.identity.factors import queries
from advancia.identity.factors.views.shared import bp
from advancia.web.access import signed_in
from advancia.web.htmx import render


@bp.get("/settings/security")
@signed_in
def security() -> ResponseReturnValue:
    factors = queries.factors_of(db.session(), current_user.id)
    staff = is_staff(current_user.role)
    return render(
        "factors/security.html",
        factors=factors,
        needs_factor=staff and factors.count == 0,
        keeps_last=staff and factors.count == 1,
    )
