"""The table of OWASP ASVS 5.0.0 in docs/security.md is whole, and what it says proves something is there."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from advancia.config import ROOT

ROW = re.compile(r"^\| (\d+\.[\d.*]+)( \(3\))? \| (met|n/a|open) \| (.+?) \| (.*?) ?\|$", re.M)

# The numbers of levels 1 and 2 by section, as the standard has them, and those of level 3.
LEVELS_1_AND_2 = """
1.1: 1-2 | 1.2: 1-9 | 1.3: 1-11 | 1.4: 1-3 | 1.5: 1-2
2.1: 1-3 | 2.2: 1-3 | 2.3: 1-4 | 2.4: 1
3.2: 1-2 | 3.3: 1-4 | 3.4: 1-6 | 3.5: 1-5 | 3.7: 1-2
4.1: 1-3 | 4.2: 1 | 4.3: 1-2 | 4.4: 1-4
5.1: 1 | 5.2: 1-3 | 5.3: 1-2 | 5.4: 1-3
6.1: 1-3 | 6.2: 1-12 | 6.3: 1-4 | 6.4: 1-4 | 6.5: 1-5 | 6.6: 1-3 | 6.8: 1-4
7.1: 1-3 | 7.2: 1-4 | 7.3: 1-2 | 7.4: 1-5 | 7.5: 1-2 | 7.6: 1-2
8.1: 1-2 | 8.2: 1-3 | 8.3: 1 | 8.4: 1
9.1: 1-3 | 9.2: 1-4
10.1: 1-2 | 10.2: 1-2 | 10.3: 1-4 | 10.4: 1-11 | 10.5: 1-5 | 10.6: 1-2 | 10.7: 1-3
11.1: 1-2 | 11.2: 1-3 | 11.3: 1-3 | 11.4: 1-4 | 11.5: 1 | 11.6: 1
12.1: 1-3 | 12.2: 1-2 | 12.3: 1-4
13.1: 1 | 13.2: 1-5 | 13.3: 1-2 | 13.4: 1-5
14.1: 1-2 | 14.2: 1-4 | 14.3: 1-3
15.1: 1-3 | 15.2: 1-3 | 15.3: 1-7
16.1: 1 | 16.2: 1-5 | 16.3: 1-4 | 16.4: 1-3 | 16.5: 1-3
17.1: 1 | 17.2: 1-4 | 17.3: 1-2
"""
LEVEL_3 = """
1.2: 10 | 1.3: 12 | 1.5: 3 | 2.3: 5 | 2.4: 2 | 3.1: 1 | 3.2: 3 | 3.3: 5 | 3.4: 7-8 | 3.5: 6-8 | 3.6: 1 | 3.7: 3-5
4.1: 4-5 | 4.2: 2-5 | 5.2: 4-6 | 5.3: 3 | 6.3: 5-8 | 6.4: 5-6 | 6.5: 6-8 | 6.6: 4 | 6.7: 1-2 | 7.5: 3
8.1: 3-4 | 8.2: 4 | 8.3: 2-3 | 8.4: 2 | 10.2: 3 | 10.3: 5 | 10.4: 12-16
11.1: 3-4 | 11.2: 4-5 | 11.3: 4-5 | 11.5: 2 | 11.6: 2 | 11.7: 1-2 | 12.1: 4-5 | 12.3: 5
13.1: 2-4 | 13.2: 6 | 13.3: 3-4 | 13.4: 6-7 | 14.2: 5-8 | 15.1: 4-5 | 15.2: 4-5 | 15.4: 1-4 | 16.5: 4
17.1: 2 | 17.2: 5-8
"""


def numbers(compact):
    found = set()
    for section, first, last in re.findall(r"(\d+\.\d+): (\d+)(?:-(\d+))?", compact):
        found |= {f"{section}.{number}" for number in range(int(first), int(last or first) + 1)}
    return found


@pytest.fixture(scope="module")
def rows():
    return ROW.findall((ROOT / "docs" / "security.md").read_text())


def meant(number):
    """The requirements that a row is about: one, or with a star all of levels 1 and 2 below it."""
    if not number.endswith("*"):
        return {number}
    return {each for each in numbers(LEVELS_1_AND_2) if each.startswith(number[:-1])}


def test_the_standard_is_counted_right():
    assert (len(numbers(LEVELS_1_AND_2)), len(numbers(LEVEL_3))) == (253, 92)


def test_every_requirement_of_levels_1_and_2_has_its_row_and_no_number_is_made_up(rows):
    counted = Counter(each for number, _, _, _, _ in rows for each in meant(number))
    chosen = {number for number, level_3, *_ in rows if level_3}

    assert {each for each, times in counted.items() if times > 1} == set()
    assert set(counted) - chosen == numbers(LEVELS_1_AND_2)
    assert chosen <= numbers(LEVEL_3)


def test_what_is_met_names_its_test_and_what_is_not_says_why(rows):
    for number, _, state, why, tests in rows:
        assert len(why) > 4, number
        assert state != "met" or tests, number
        assert state != "n/a" or not tests, number


def test_every_test_that_is_named_is_there():
    text = (ROOT / "docs" / "security.md").read_text()
    named = set(re.findall(r"`((?:[a-z]+/)*test_[a-z_]+)`", text)) | set(
        re.findall(r"`tests/([a-z_/]+)\.py`", text)
    )

    assert len(named) > 60
    assert {each for each in named if not (ROOT / "tests" / f"{each}.py").is_file()} == set()
