"""Commands about the ledger: `flask ledger …`."""

from __future__ import annotations

import json
import sys

import click
from flask.cli import AppGroup

from advancia.core.db import db
from advancia.ledger import check
from advancia.ledger.check import LedgerReport
from advancia.ledger.export_cli import export_command

ledger_cli = AppGroup("ledger", help="The double-entry ledger.")
ledger_cli.add_command(export_command)


@ledger_cli.command("check")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def check_command(as_json: bool) -> None:
    """Compute everything again from the entries and say whether it agrees.

    The exit code is 0 when it does and 1 when anything differs. An empty ledger is reported as empty.
    """
    report = check.run(db.session())
    click.echo(_json(report) if as_json else _words(report))
    sys.exit(0 if report.is_right else 1)


def _json(report: LedgerReport) -> str:
    return json.dumps(
        {
            "verdict": report.verdict,
            "entries": report.entries,
            "accounts": report.accounts,
            "transactions": report.transactions,
            "differences": [{"check": each.check, "told": each.told} for each in report.differences],
        },
        indent=2,
    )


def _words(report: LedgerReport) -> str:
    read = f"{report.entries:,} entries, {report.accounts:,} accounts, {report.transactions:,} transactions."
    verdict = {
        "proven": "Proven: every balance, chain and sum agrees.",
        "empty": "Empty: nothing to prove.",
        "wrong": "Wrong: these rows disagree (each check names 100 at most).",
    }[report.verdict]
    return "\n".join([f"Read {read}", verdict, *(f"  {each}" for each in report.differences)])
