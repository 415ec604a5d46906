"""Commands of operations."""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import AppGroup

from advancia.ops import demo

demo_cli = AppGroup("demo", help="Demo data for development.")


@demo_cli.command("seed")
def seed() -> None:
    """Create the demo customers and their movements; what exists already is left alone."""
    if not current_app.extensions["settings"].is_dev:
        raise click.ClickException("Demo data is for development. Set ADVANCIA_ENV=dev to use it.")
    for email in demo.seed():
        click.echo(f"{email}  {demo.PASSWORD}")
