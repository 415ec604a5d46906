"""`.ci/run` over stand-ins for its tools: nothing that fails is let through, and the tests come last all the same."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.ops.dev.support import ROOT

# It says which tool was called, and fails for the one that the test names.
TOOL = """#!/bin/sh
echo "called: $(basename "$0") $*"
case "$(basename "$0") $*" in *"$BROKEN"*) exit "${CODE:-1}";; esac
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
    tools = (".venv/bin/python", ".venv/bin/lint-imports", ".venv/bin/bandit", "test", "machine/chromium")
    for name in (*tools, "machine/hledger"):
        (tmp_path / name).write_text(TOOL)
        (tmp_path / name).chmod(0o755)
    for script in ("run", "deploy/postgres/roles.sh"):
        (tmp_path / script).write_text("")

    def check_with(broken, code=1):
        return subprocess.run(
            ["bash", ".ci/run"],
            cwd=tmp_path,
            env={"PATH": f"{tmp_path}/machine:{os.defpath}", "BROKEN": broken, "CODE": str(code)},
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
        ("bandit", "Dangerous code (bandit)"),
        ("audit_dependencies.py", "Known holes in libraries (pip-audit)"),
        ("test --all", "Tests, the slow ones included"),
    ],
)
def test_one_failure_fails_it_all_and_is_named_at_the_end(check, broken, name):
    ran = check(broken)

    assert ran.returncode == 1
    assert "called: test --all" in ran.stdout
    assert ran.stdout.rstrip().endswith(f"Failed: {name};")


def test_what_could_not_be_found_out_is_no_failure_and_no_pass(check):
    ran = check("audit_dependencies.py", code=3)

    assert ran.returncode == 0
    assert ran.stdout.rstrip().endswith("Not checked: Known holes in libraries (pip-audit);")
    assert "FAILED" not in ran.stdout


@pytest.mark.parametrize(
    ("told", "code", "words"),
    [
        ({"dependencies": [{"name": "flask", "version": "3.1.3", "vulns": []}]}, 0, ""),
        (
            {"dependencies": [{"name": "flask", "version": "3.1.3", "vulns": [{"id": "CVE-1"}]}]},
            1,
            "flask 3.1.3: CVE-1",
        ),
        ({"dependencies": [{"name": "flask", "skip_reason": "not found"}]}, 3, "1 of 1 packages"),
        (None, 3, "can be reached"),
    ],
)
def test_silence_about_holes_is_not_taken_for_a_no(tmp_path, told, code, words):
    """pip-audit itself says that there are none when it could ask about nothing."""
    (tmp_path / "python").symlink_to(sys.executable)
    answer = "exit 1" if told is None else f"echo '{json.dumps(told)}'"
    (tmp_path / "pip-audit").write_text(f"#!/bin/sh\n{answer}\n")
    (tmp_path / "pip-audit").chmod(0o755)
    command = [tmp_path / "python", ROOT / ".ci" / "audit_dependencies.py"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)

    assert ran.returncode == code
    assert words in ran.stdout
