"""Commands where the settings are wrong: help is given, what needs none works, the rest says what is wrong."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner
from flask.cli import FlaskGroup

from advancia.app import create_app_of_commands
from advancia.config import ROOT, ConfigError

MISSING = "SECRET_KEY is missing: set it to the output of"


def run(*words):
    """A command of an app whose settings are wrong, in this process."""
    group = FlaskGroup(create_app=lambda: create_app_of_commands(ConfigError(MISSING)))
    return CliRunner().invoke(group, words, prog_name="flask")


def run_for_real(folder, *words):
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "ADVANCIA_ENV": "production", "ADVANCIA_VAR": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_lists_every_command(tmp_path):
    ran = run_for_real(tmp_path, "-m", "flask", "--app", "wsgi", "--help")

    assert (ran.returncode, ran.stderr) == (0, "")
    for group in ("db", "demo", "ledger", "secrets"):
        assert f"\n  {group} " in ran.stdout


@pytest.mark.parametrize("words", [("secrets", "--help"), ("ledger", "check", "--help"), ("db", "--help")])
def test_every_command_shows_its_help(words):
    ran = run(*words)

    assert ran.exit_code == 0
    assert ran.output.startswith("Usage: ")


@pytest.mark.parametrize(
    "words",
    [("secrets", "rotate"), ("ledger", "check"), ("ledger", "seal"), ("db", "upgrade"), ("demo", "seed")],
)
def test_a_command_that_needs_settings_says_which_are_wrong(words):
    ran = run(*words)

    assert ran.exit_code == 2
    assert ran.output == f"Error: {MISSING}\n"


@pytest.mark.parametrize("words", [("run",), ("routes",), ("shell",)])
def test_no_server_starts_without_settings(words):
    ran = run(*words)

    assert ran.exit_code == 1
    assert MISSING in ran.output


def test_a_web_server_that_loads_the_entrance_ends_with_the_reason(tmp_path):
    ran = run_for_real(tmp_path, "-c", "import wsgi")

    assert ran.returncode == 1
    assert MISSING in ran.stderr
    assert "Traceback" not in ran.stderr
