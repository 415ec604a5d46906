"""`.ci/run` over stand-ins for its tools: nothing that fails is let through, and the tests come last all the same."""

import os
import shutil
import subprocess

import pytest

from tests.ops.dev.support import ROOT

# It says which tool was called, and fails for the one that the test names.
TOOL = """#!/bin/sh
echo "called: $(basename "$0") $*"
case "$(basename "$0") $*" in *"$BROKEN"*) exit 1;; esac
"""


@pytest.fixture
def check(tmp_path):
    """Run the checks in a folder whose tools are stand-ins, of which the one named `broken` fails."""
    for folder in (".ci", "bin", ".venv/bin", "machine", "deploy/postgres"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    (tmp_path / "bin" / "bootstrap.sh").write_text(
        "VENV_PYTHON=.venv/bin/python\nbootstrap() { echo installed; }\n"
    )
    for name in (".venv/bin/python", ".venv/bin/lint-imports", "test", "machine/chromium", "machine/hledger"):
        (tmp_path / name).write_text(TOOL)
        (tmp_path / name).chmod(0o755)
    for script in ("run", "deploy/postgres/roles.sh"):
        (tmp_path / script).write_text("")

    def check_with(broken):
        return subprocess.run(
            ["bash", ".ci/run"],
            cwd=tmp_path,
            env={"PATH": f"{tmp_path}/machine:{os.defpath}", "BROKEN": broken},
            capture_output=True,
            text=True,
            check=False,
        )

    return check_with


def test_all_is_well_when_every_check_passes(check):
    ran = check("nothing of this name")

    assert ran.returncode == 0
    for tool in (
        "ruff check",
        "ruff format --check",
        "mypy",
        "lint-imports",
        "djlint templates",
        "test --all",
    ):
        assert f"{tool}" in ran.stdout
    assert "FAILED" not in ran.stdout


@pytest.mark.parametrize(
    ("broken", "name"),
    [
        ("-m ruff check", "Lint (ruff check)"),
        ("-m ruff format", "Format (ruff format)"),
        ("-m mypy", "Types (mypy)"),
        ("lint-imports", "Import contracts (import-linter)"),
        ("-m djlint", "Templates (djlint)"),
        ("test --all", "Tests, the slow ones included"),
    ],
)
def test_one_failure_fails_it_all_and_is_named_at_the_end(check, broken, name):
    ran = check(broken)

    assert ran.returncode == 1
    assert "called: test --all" in ran.stdout
    assert ran.stdout.rstrip().endswith(f"Failed: {name};")
