"""The command `flask ledger export`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import IO, Any

import click
from flask.cli import with_appcontext

from advancia.core.db import db
from advancia.ledger.export import Bound, CannotExport, export
from advancia.ledger.export_formats import FORMATS
from advancia.ledger.horizon import HeldBack


class DayOrId(click.ParamType[Bound]):
    """A day like 2026-01-31, or the id of a transaction."""

    name = "day or id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Bound:
        if re.fullmatch("[0-9]{1,18}", value):
            return int(value)
        try:
            return date.fromisoformat(value)
        except ValueError:
            return self.fail(
                f"{value!r} is neither a day like 2026-01-31 nor a transaction's id.", param, ctx
            )


@click.command("export")
@click.option(
    "--format", "written", type=click.Choice(sorted(FORMATS)), required=True, help="For which tool."
)
@click.option(
    "--from", "since", type=DayOrId(), help="The first day (UTC) or transaction. Else: the first ever."
)
@click.option(
    "--to", "until", type=DayOrId(), help="The last day (UTC) or transaction. Else: the newest settled."
)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="A file. Else: standard output."
)
@with_appcontext
def export_command(written: str, since: Bound | None, until: Bound | None, output: Path | None) -> None:
    """Write all transactions as plain text, exactly, with the balances for the reader to check.

    Both ends are included. The file appears only once it is whole.
    """
    try:
        with _target(output) as file:
            for piece in export(db.session(), to=written, since=since, until=until):
                file.write(piece)
    except (CannotExport, HeldBack) as refusal:
        raise click.ClickException(str(refusal)) from None
    except OSError as failure:
        if output is None:
            raise
        raise click.ClickException(f"{output} cannot be written: {failure.strerror}.") from None


@contextmanager
def _target(output: Path | None) -> Iterator[IO[str]]:
    if output is None:
        yield click.open_file("-", "w", encoding="utf-8")
        return
    unfinished = output.with_name(f"{output.name}.unfinished")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            yield file
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)
