"""Brings the database to the current schema and lays out the demo data: one process, started once."""

from __future__ import annotations

from flask.cli import ScriptInfo

COMMANDS = (("db", "upgrade"), ("demo", "seed"))


def main() -> None:
    """Run the same commands as `flask --app wsgi …`, one after the other."""
    script = ScriptInfo(app_import_path="wsgi")
    app = script.load_app()
    for command in COMMANDS:
        app.cli.main(args=[*command], prog_name="flask", obj=script, standalone_mode=False)


if __name__ == "__main__":
    main()
