"""The commands in the runbooks of docs/operations.md do what they are said to do, in their order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from advancia.config import ROOT

RUN = re.compile(r"^[ ]*<!-- run -->\n[ ]*```sh\n(.*?)^[ ]*```$", re.MULTILINE | re.DOTALL)


def blocks_of(heading: str) -> list[str]:
    """What is marked to be run below that heading of the second level, one shell script for each block."""
    text = (ROOT / "docs" / "operations.md").read_text()
    (section,) = (part for part in re.split(r"^## ", text, flags=re.MULTILINE) if part.startswith(heading))
    return [textwrap.dedent(block) for block in RUN.findall(section)]


@pytest.fixture
def shell(scratch, tmp_path) -> Callable[[str], str]:
    """Run a script as an operator would, in a folder of its own, against a product of the test's own."""
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "flask").symlink_to(Path(sys.executable).with_name("flask"))
    environ = {**os.environ, **scratch.environ, "PYTHONPATH": str(ROOT)}
    environ["PATH"] = f"{commands}:{environ['PATH']}"

    def run(script: str) -> str:
        ran = subprocess.run(
            ["sh", "-eu"],
            input=script,
            env=environ,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, f"{script}\n{ran.stdout}\n{ran.stderr}"
        return ran.stdout

    return run


@pytest.mark.slow
def test_the_runbook_of_backups(shell, tmp_path):
    keygen, create, prune, again = blocks_of("Backups\n")[:4]

    assert shell(keygen).startswith("age1")
    assert (tmp_path / "backup-identity.txt").read_text().startswith("# public key: age1")
    made = shell(create)
    assert "is done" in made
    assert "not proven" in made
    assert "Nothing was taken away. 0 pruned, 1 kept." in shell(prune)
    assert '"state": "done"' in shell(again)


@pytest.mark.slow
def test_the_runbooks_of_a_proof_that_failed_and_of_a_restore(shell, scratch):
    _keygen, create, _prune, _again, prove, failed, restore, letters = blocks_of("Backups\n")

    shell(create)
    assert "is proven. Restored in" in shell(prove)
    assert shell(failed).count("is proven. Restored in") == 1
    name = re.findall(r"^\S+Z-\w{6}", shell("flask --app wsgi backup list"), re.MULTILINE)[0]
    asked = restore.replace('"$NAME"', name).rstrip() + f" <<'END'\n{scratch.name}\nEND\n"
    told = shell(asked)
    assert "entries prove" in told
    assert "Money moves again." in told
    assert shell(letters).splitlines()[-1] == "No letter is held back."


@pytest.mark.slow
def test_the_runbook_of_the_lockdown(shell):
    (lockdown,) = blocks_of("Lockdown\n")

    told = shell(lockdown)
    assert "Money is paused since" in told
    assert "Case 1234: looking into a payment" in told
    assert told.endswith("Money moves again.\n")


@pytest.mark.slow
def test_the_runbook_of_a_reconciliation_difference(shell, tmp_path):
    now, again = blocks_of("Reconciliation\n")

    assert "Paid deposits against their credits" in shell(now)
    shell(again)
    assert '"verdict"' in (tmp_path / "reconciliation.json").read_text()
