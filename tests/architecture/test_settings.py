"""Settings are read in one place, and every one of them is written down."""

from __future__ import annotations

import ast
import re

from advancia.config import NAMES, ROOT


def test_every_setting_stands_in_the_example_and_nothing_else_does():
    example = (ROOT / ".env.example").read_text()

    assert set(re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", example, re.M)) == set(NAMES)


def test_every_setting_that_is_read_is_listed():
    source = "".join(path.read_text() for path in (ROOT / "advancia" / "config").glob("*.py"))
    read = set(re.findall(r"""(?:get|number|database|keys)\((?:given, )?\s*"([A-Z][A-Z0-9_]+)\"""", source))

    assert read <= set(NAMES)
    assert set(NAMES) - read <= {"ADVANCIA_ENV", "ADVANCIA_VAR"}  # these two are read before all others


def test_only_the_config_reads_the_environment():
    guilty = []
    for path in (*(ROOT / "advancia").rglob("*.py"), *(ROOT / "worker").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Attribute)
                and node.attr in ("environ", "getenv")
                and isinstance(node.value, ast.Name)
                and node.value.id == "os"
            ):
                guilty.append(str(path.relative_to(ROOT)))
    # The supervisor hands the environment on to the children that it starts.
    assert {name for name in guilty if not name.startswith("advancia/ops/dev/")} == {
        "advancia/config/__init__.py"
    }
