"""The command that makes the first owner, and any member of staff after that."""

from __future__ import annotations

import json
import secrets
import sys

import click
from email_validator import EmailNotValidError, validate_email
from flask.cli import AppGroup

from advancia.core.db import Session, in_unit_of_work
from advancia.core.permissions import Role
from advancia.identity.errors import RoleRefused
from advancia.identity.recovery import password_reset
from advancia.identity.services import passwords, staff
from advancia.web.public import TERMS_VERSION

REFUSED = 1
ROLES = [role.value for role in Role if role is not Role.CUSTOMER]
REASON = "Created from the shell of the server"
NEXT = "At the first sign-in they set up a second factor, before the first staff page."

staff_cli = AppGroup("staff", help="Accounts of staff.")


@staff_cli.command("create")
@click.option("--email", required=True, help="An address of their own, which has no account yet.")
@click.option("--name", required=True, help="Their name.")
@click.option("--role", required=True, type=click.Choice(ROLES), help="What they may do.")
@click.option(
    "--link", is_flag=True, help="Mail them a link to set their password, instead of asking for one."
)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for scripts.")
def create(*, email: str, name: str, role: str, link: bool, as_json: bool) -> None:
    """Create a member of staff; the first owner is made so.

    The password is asked for and shown nowhere. Ends with 0 when the account was made, 1 when it was refused, such as
    when the address has one already, 2 when the command was not understood.
    """
    email, name = _checked(email, name)
    password = secrets.token_urlsafe(32) if link else _asked_password(email, name)
    password_hash = passwords.hashed(password)

    def make(session: Session) -> int:
        user_id = staff.create(
            session,
            actor=None,
            email=email,
            name=name,
            role=role,
            password_hash=password_hash,
            terms_version=TERMS_VERSION,
            reason=REASON,
        )
        if link:
            password_reset.open_for(session, email=email, address=None)
        return user_id

    try:
        user_id = in_unit_of_work(make)
    except RoleRefused as refusal:
        _end_refused(str(refusal), as_json=as_json)
    else:
        _tell(user_id, email, role, link=link, as_json=as_json)


def _checked(email: str, name: str) -> tuple[str, str]:
    name = " ".join(name.split())
    if not name or not name.isprintable():
        raise click.BadParameter("Enter a name.", param_hint="--name")
    try:
        return validate_email(email, check_deliverability=False).normalized.lower(), name
    except EmailNotValidError as error:
        raise click.BadParameter(str(error), param_hint="--email") from None


def _asked_password(email: str, name: str) -> str:
    """Typed twice and not shown, or the first line of what is piped in."""
    if sys.stdin.isatty():
        password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if reason := passwords.weakness(password, name=name, email=email):
        raise click.BadParameter(reason, param_hint="the password")
    return password


def _end_refused(message: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"created": False, "refusal": message}))
    else:
        click.echo(message, err=True)
    raise SystemExit(REFUSED)


def _tell(user_id: int, email: str, role: str, *, link: bool, as_json: bool) -> None:
    if as_json:
        click.echo(
            json.dumps({"created": True, "id": user_id, "email": email, "role": role, "link_mailed": link})
        )
        return
    sent = " A link to set their password is on its way to them; it works for an hour." if link else ""
    click.echo(f"{email} is {role} now, with the id {user_id}.{sent} {NEXT}")
