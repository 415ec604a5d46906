"""A process that steps back does so towards others in its session, and towards other sessions when it has its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from advancia.config import ROOT

GROUP = Path("/proc/self/autogroup")
# Where the kernel weighs no sessions, or this one is weighed by a control group, there is no such file or it is empty.
WEIGHED = GROUP.exists() and GROUP.read_text().strip() != ""

TOLD = f"""
import os, pathlib
from advancia.core.priority import step_back
step_back(7)
print(os.nice(0), pathlib.Path("{GROUP}").read_text().split()[-1] if {WEIGHED} else "")
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
    if WEIGHED:
        assert niceness(alone=False)[1] != 7


@pytest.mark.skipif(not WEIGHED, reason="this kernel does not weigh sessions")
def test_a_process_in_a_session_of_its_own_speaks_for_the_session():
    assert niceness(alone=True)[1] == 7
