"""`./run` on machines that lack something: each time one sentence that says how to mend it."""

import os
import shutil
import subprocess
import sys

import pytest

from advancia.ops.dev import install
from tests.ops.dev.support import NOBODY, ROOT, as_ordinary_user

TOOLS = ("sh", "dirname", "uname")
OLD = """case "$2" in *"(3, 11)"*) exit 1;; *print*) echo 3.9;; esac"""
WITHOUT_VENV = """case "$2" in *ensurepip*) exit 1;; *print*) echo python3.12;; esac"""
MISSING_SHIM = """echo "pyenv: command not found" >&2; exit 127"""


@pytest.fixture
def checkout(place):
    """A copy of what `./run` needs to begin, on a machine that has next to nothing."""
    folder = place / "checkout"
    (folder / "advancia" / "ops" / "dev").mkdir(parents=True)
    shutil.copytree(ROOT / "bin", folder / "bin")
    for name in ("run", "test", "advancia/ops/dev/install.py"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "requirements.txt").write_text("# nothing\n")
    machine = folder / "machine"
    machine.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found
        (machine / tool).symlink_to(found)
    return folder


def add_program(checkout, name, script):
    program = checkout / "machine" / name
    program.unlink(missing_ok=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def run(checkout, *, as_user=list, **environ):
    return subprocess.run(
        as_user([str(checkout / "run")]),
        env={"PATH": str(checkout / "machine"), "PIP_NO_INDEX": "1", **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def assert_one_sentence(ran, beginning, way_out):
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr.count("\n") == 1
    assert ran.stderr.startswith(beginning)
    assert way_out in ran.stderr


def test_no_python_at_all(checkout):
    add_program(checkout, "python3", MISSING_SHIM)

    assert_one_sentence(
        run(checkout), "Python 3.11 or later is needed and none was found", "install it, or name it"
    )


def test_a_python_that_is_too_old(checkout):
    add_program(checkout, "python3", OLD)

    assert_one_sentence(
        run(checkout),
        "Python 3.11 or later is needed and only 3.9 was found (python3)",
        "PYTHON=/path/to/python3.11",
    )


def test_a_python_without_venv(checkout):
    add_program(checkout, "python", OLD)
    add_program(checkout, "python3", WITHOUT_VENV)

    assert_one_sentence(run(checkout), "python3 has no venv module", "sudo apt install python3.12-venv")


def test_windows(checkout):
    add_program(checkout, "uname", "echo MINGW64_NT-10.0")

    assert_one_sentence(run(checkout), "Windows itself cannot run the embedded servers", "wsl --install")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder that is not ours")
def test_a_folder_that_cannot_be_written_to(checkout):
    (checkout / "machine" / "python3").symlink_to(sys._base_executable)
    checkout.chmod(0o555)

    ran = run(checkout, as_user=as_ordinary_user)

    assert_one_sentence(ran, f"{checkout} cannot be written to (Permission denied)", "a folder of your own")
    assert checkout.stat().st_uid != NOBODY


@pytest.mark.slow
def test_an_installation_counts_as_done_only_once_it_is(checkout, monkeypatch, capfd):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    wanted = checkout / "requirements.txt"
    wanted.write_text("nosuchpackage==1 --hash=sha256:" + "0" * 64 + "\n")
    with pytest.raises(install.InstallError, match="could not be installed, for the reason above"):
        install.ensure(checkout, "requirements.txt")
    with pytest.raises(install.InstallError):
        install.ensure(checkout, "requirements.txt")

    wanted.write_text("# nothing any more\n")
    install.ensure(checkout, "requirements.txt")
    capfd.readouterr()
    install.ensure(checkout, "requirements.txt")

    assert capfd.readouterr().out == ""
    assert (checkout / ".venv" / "bin" / "python").exists()


@pytest.mark.slow
def test_the_wider_installation_serves_the_narrower_one_too(checkout, monkeypatch, capfd):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (checkout / "requirements-dev.txt").write_text("# nothing either\n")
    install.ensure(checkout, "requirements-dev.txt")
    capfd.readouterr()

    install.ensure(checkout, "requirements.txt")

    assert capfd.readouterr().out == ""
