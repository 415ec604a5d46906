"""The people who run the place."""

from __future__ import annotations

from sqlalchemy import select

from advancia.core.permissions import Permission, Role, permissions_of
from advancia.identity.models import User
from advancia.ops import demo, demo_staff
from advancia.ops.launch.look import Look
from advancia.ops.launch.registry import Finding, Weight, check, fine, weak, wrong

FEWEST_APPROVERS = 2
APPROVERS = [role for role in Role if Permission.APPROVE in permissions_of(role)]
DEMO = [person[0] for person in (*demo.PEOPLE, *demo_staff.STAFF)]
IS_ACTIVE = User.suspended_at.is_(None)


@check("All staff have a second factor", weight=Weight.BLOCKER)
def second_factors(look: Look) -> Finding:
    staff = look.session.execute(
        select(User.name, User.second_factor_since)
        .where(User.role != Role.CUSTOMER, IS_ACTIVE)
        .order_by(User.id)
    ).all()
    without = [each.name for each in staff if each.second_factor_since is None]
    if without:
        return wrong(
            f"{len(without)} of {len(staff)} have none: {', '.join(without)}.",
            "They set one up at their next sign-in. Suspend whoever does not come.",
        )
    if not staff:
        return wrong("There is no staff.", "Make an owner with flask --app wsgi staff create.")
    return fine(f"All {len(staff)} have one.")


@check("Two people can approve, and there is an owner", weight=Weight.BLOCKER)
def approvers(look: Look) -> Finding:
    roles = look.session.scalars(
        select(User.role).where(User.role.in_(APPROVERS), IS_ACTIVE, User.second_factor_since.is_not(None))
    ).all()
    owners = roles.count(Role.OWNER)
    words = f"{len(roles)} may approve and can sign in, {owners} of them as owner."
    if len(roles) < FEWEST_APPROVERS:
        return wrong(words, "Add somebody for finance or admin: nobody approves what they have asked for.")
    if not owners:
        return wrong(words, "Make an owner with flask --app wsgi staff create --role owner.")
    if owners == 1:
        return weak(words, "Make a second owner: nobody else begins the reset of an owner's lost factor.")
    return fine(words)


@check("Nobody of the demo can sign in", weight=Weight.BLOCKER)
def no_demo(look: Look) -> Finding:
    there = look.session.scalars(
        select(User.email).where(User.email.in_(DEMO), IS_ACTIVE).order_by(User.id)
    ).all()
    if there:
        return wrong(
            f"{len(there)} are here, whose password everybody knows: {', '.join(there)}.",
            "Go live with a database that never was a demo, or suspend them all.",
        )
    return fine("There is nobody of the demo.")
