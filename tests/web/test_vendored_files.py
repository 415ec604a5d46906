"""The scripts of others are the ones that were read: unchanged, and each named with its sum."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

VENDORED = Path(__file__).parents[2] / "static" / "vendor" / "htmx"


def test_each_vendored_script_has_the_sum_that_is_written_down():
    written = dict(re.findall(r"^\| `([^`]+\.js)` \|.*\| `([0-9a-f]{64})` \|$", source(), flags=re.MULTILINE))

    assert written == {
        path.relative_to(VENDORED).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDORED.rglob("*.js")
    }


def test_the_written_version_is_the_scripts_own():
    version = re.search(r"^# htmx (\S+)$", source(), flags=re.MULTILINE)

    assert version is not None
    assert f'version="{version[1]}"' in (VENDORED / "htmx.min.js").read_text(encoding="utf-8")


def source() -> str:
    return (VENDORED / "SOURCE.md").read_text(encoding="utf-8")
