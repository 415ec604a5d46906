"""A process that steps back does so towards others in its session, and towards other sessions when it has its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from advancia.config import ROOT

TOLD = """
import os, pathlib
from advancia.core.priority import step_back
step_back(7)
group = pathlib.Path("/proc/self/autogroup")
print(os.nice(0), group.read_text().split()[-1] if group.exists() else "")
"""


def niceness(*, alone):
    ran = subprocess.run(
        [sys.executable, "-c", TOLD],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        start_new_session=alone,
    )
    own, *session = ran.stdout.split()
    return int(own), *map(int, session)


def test_a_process_in_a_session_with_others_speaks_for_itself_alone():
    assert niceness(alone=False)[0] >= 7
    if Path("/proc/self/autogroup").exists():
        assert niceness(alone=False)[1] != 7


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this kernel does not weigh sessions")
def test_a_process_in_a_session_of_its_own_speaks_for_the_session():
    assert niceness(alone=True)[1] == 7
