"""The commands say what they did, to people and to scripts."""

from __future__ import annotations

import json
import stat

import pytest
from click.testing import Result
from flask import Flask

from advancia.ops.backups import running
from advancia.ops.backups.keys import read_identities


@pytest.fixture
def flask(app: Flask):
    """Run `flask …` in this process."""

    def run(*words: str) -> Result:
        return app.test_cli_runner().invoke(args=list(words))

    return run


@pytest.mark.parametrize("command", ["create", "list", "prune", "keygen"])
def test_each_command_has_its_help(flask, command):
    shown = flask("backup", command, "--help")

    assert shown.exit_code == 0
    assert "Usage:" in shown.output


def test_create_makes_a_backup_that_list_then_shows(flask):
    made = json.loads(flask("backup", "create", "--json").output)

    listed = flask("backup", "list")
    as_json = json.loads(flask("backup", "list", "--json").output)

    assert made["state"] == "done"
    assert made["stored_bytes"] > 0
    assert listed.exit_code == 0
    assert listed.output.splitlines()[0].startswith(f"{made['name']}  done     asked ")
    assert "not proven" in listed.output.splitlines()[0]
    assert as_json[0]["name"] == made["name"]


def test_create_says_how_to_prove_what_it_made(flask):
    made = flask("backup", "create")

    assert made.exit_code == 0
    assert "is done" in made.output
    assert "backup prove 20" in made.output


def test_while_one_is_made_create_ends_with_2_and_prune_does_its_work(flask, settings, app_context):
    with running.only_one(settings.database_url):
        create, prune = flask("backup", "create"), flask("backup", "prune")

    assert (create.exit_code, prune.exit_code) == (2, 0)
    assert "A backup is being made already" in create.output


def test_prune_says_what_it_would_do(flask):
    told = flask("backup", "prune", "--dry-run", "--json")

    assert told.exit_code == 0
    assert json.loads(told.output)["dry_run"] is True


def test_keygen_makes_a_pair_whose_secret_half_only_its_owner_may_read(flask, tmp_path):
    made = flask("backup", "keygen", str(tmp_path / "identity.txt"))

    (identity,) = read_identities(tmp_path / "identity.txt")
    assert made.exit_code == 0
    assert str(identity.to_public()) in made.output
    assert "AGE-SECRET-KEY" not in made.output
    assert stat.S_IMODE((tmp_path / "identity.txt").stat().st_mode) == 0o600


def test_keygen_replaces_no_key(flask, tmp_path):
    (tmp_path / "identity.txt").write_text("precious")

    refused = flask("backup", "keygen", str(tmp_path / "identity.txt"))

    assert refused.exit_code == 1
    assert (tmp_path / "identity.txt").read_text() == "precious"
