"""Makes `.venv` and installs a hashed requirements file into it; does nothing when that is done already.

Run as a plain file by `bin/bootstrap.sh`, with whatever Python was found and before anything is
installed, so it imports the standard library alone. An installation counts as done only once its stamp
is written, which is its last step.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
# The wider file holds all that the narrower one does, in the same versions.
INCLUDES = {"requirements-dev.txt": ("requirements.txt",)}
PIP_INSTALL = (
    *("-m", "pip", "--disable-pip-version-check", "--no-input", "install", "-qq", "--no-deps"),
    *("--require-hashes", "--only-binary", ":all:", "--no-compile", "--no-warn-script-location"),
)


class InstallError(Exception):
    """The installation cannot be done; the text says how to mend it."""


def main(arguments: list[str]) -> int:
    """Install the named requirements file; return the exit code."""
    try:
        ensure(ROOT, arguments[0])
    except InstallError as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("The installation was interrupted: start it again and it will be completed.", file=sys.stderr)
        return 130
    return 0


def ensure(root: Path, requirements: str) -> None:
    """Leave a `.venv` in `root` that holds what `requirements` names. Raises `InstallError`."""
    if _is_done(root, requirements):
        return
    with _one_at_a_time(root):
        if not _is_done(root, requirements):
            _check_writable(root)
            _make_venv(root)
            _install(root, requirements)


def _is_done(root: Path, requirements: str) -> bool:
    try:
        return _stamp(root, requirements).read_text() == _fingerprint(root, requirements)
    except OSError:
        return False


def _stamp(root: Path, requirements: str) -> Path:
    return root / ".venv" / f".installed-{requirements}"


def _fingerprint(root: Path, requirements: str) -> str:
    """Changes whenever the requirements, the folder's place or the Python behind `.venv` do."""
    base = (root / ".venv" / "pyvenv.cfg").read_bytes()
    wanted = (root / requirements).read_bytes()
    return hashlib.sha256(b"\0".join([wanted, base, os.fsencode(root)])).hexdigest()


@contextmanager
def _one_at_a_time(root: Path) -> Iterator[None]:
    """Two first starts in the same folder take turns."""
    folder = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _check_writable(root: Path) -> None:
    try:
        (root / ".venv").mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=root / ".venv"):
            pass
    except OSError as failure:
        raise InstallError(
            f"{root} cannot be written to ({failure.strerror}): copy the project to a folder of your own, "
            "or correct the folder's permissions."
        ) from failure


def _make_venv(root: Path) -> None:
    python = root / ".venv" / "bin" / "python"
    if (
        python.exists()
        and subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode
        == 0
    ):
        return
    print("Making .venv …", flush=True)
    try:
        shutil.rmtree(root / ".venv", ignore_errors=True)
        venv.create(root / ".venv", with_pip=True, symlinks=True)
    except (OSError, subprocess.CalledProcessError) as failure:
        raise InstallError(
            f"The virtual environment {root / '.venv'} could not be made ({failure}): check that the "
            "folder can be written to, that it has room, and that this Python has venv and pip."
        ) from failure


def _install(root: Path, requirements: str) -> None:
    for name in (requirements, *INCLUDES.get(requirements, ())):
        _stamp(root, name).unlink(missing_ok=True)
    print(f"Installing {requirements} (once, about half a minute) …", flush=True)
    command = [str(root / ".venv" / "bin" / "python"), *PIP_INSTALL, "-r", requirements]
    if subprocess.run(command, cwd=root, check=False).returncode != 0:
        raise InstallError(
            f"The packages of {requirements} could not be installed, for the reason above: check the network "
            "and the room on the disk, then start this again."
        )
    for name in (*INCLUDES.get(requirements, ()), requirements):
        _stamp(root, name).write_text(_fingerprint(root, name))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
