"""Commands of operations."""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import AppGroup

from advancia.ops import demo, demo_staff

demo_cli = AppGroup("demo", help="Demo data for development.")


@demo_cli.command("seed")
def seed() -> None:
    """Create the demo customers, their movements and the staff; what exists already is left alone."""
    if not current_app.extensions["settings"].is_dev:
        raise click.ClickException("Demo data is for development. Set ADVANCIA_ENV=dev to use it.")
    staff = demo_staff.seed(password=demo.PASSWORD, keyring=current_app.extensions["keyring"])
    for email in (*demo.seed(), *staff):
        click.echo(f"{email}  {demo.PASSWORD}")


@demo_cli.command("code")
def code() -> None:
    """Show the code that the demo's staff are asked for when they sign in; a new one comes every 30 seconds."""
    click.echo(demo_staff.code())
