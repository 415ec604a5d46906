"""Every template parses, finds what it includes, and leaves scripts and styles to files."""

from __future__ import annotations

import re

import pytest
from jinja2 import meta

from advancia.config import ROOT

TEMPLATES = sorted(str(path.relative_to(ROOT / "templates")) for path in (ROOT / "templates").rglob("*.*"))
HTMX = re.compile(r"\shx-(?!nonce)[a-z-]+[:=\s]")


def test_there_are_templates():
    assert len(TEMPLATES) > 20


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_parses_and_finds_what_it_includes(app, name):
    source, *_ = app.jinja_env.loader.get_source(app.jinja_env, name)
    for other in meta.find_referenced_templates(app.jinja_env.parse(source)):
        assert other is None or other in TEMPLATES


@pytest.mark.parametrize("name", [each for each in TEMPLATES if not each.startswith("emails/")])
def test_a_page_has_no_inline_script_style_or_handler(name):
    source = (ROOT / "templates" / name).read_text()

    assert not re.search(r"<script(?![^>]*\bsrc=)", source)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|hx-on", source)
