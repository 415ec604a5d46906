"""The commands of an app whose settings are wrong: each shows its help, and those that need no settings work."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from copy import copy

import click
from flask import Flask
from flask.cli import FlaskGroup

from advancia.ops.backups.cli import keygen_command
from advancia.ops.secrets.bundle_cli import decrypt_command, encrypt_command

NEED_NO_SETTINGS = (encrypt_command, decrypt_command, keygen_command)


class WrongSettings(click.ClickException):
    """A command cannot run as the settings are."""

    exit_code = 2


def app_of_commands(groups: Iterable[click.Command], problem: Exception) -> Flask:
    """An app with nothing but commands, for `flask --help` and `flask secrets encrypt`.

    Exits with the problem's text when anything else is asked for, such as to serve pages.
    """
    context = click.get_current_context(silent=True)
    if context is None or not isinstance(context.command, FlaskGroup):
        sys.exit(str(problem))
    app = Flask("advancia", static_folder=None)
    for group in groups:
        app.cli.add_command(_that_refuses(group, problem))
    return app


def _that_refuses(command: click.Command, problem: Exception) -> click.Command:
    """The same command, which says what is wrong instead of running."""
    if command in NEED_NO_SETTINGS:
        return command
    twin = copy(command)
    if isinstance(twin, click.Group):
        twin.commands = {name: _that_refuses(each, problem) for name, each in twin.commands.items()}
        return twin

    def refuse(**_arguments: object) -> None:
        raise WrongSettings(str(problem))

    twin.callback = refuse
    return twin
