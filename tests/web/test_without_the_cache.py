"""The pages go on when the cache is gone, and when it hangs, which is worse."""

from __future__ import annotations

import json
import socket
import time

import pytest

from advancia.app import create_app
from advancia.config import load_settings
from advancia.web.limits import limiter
from tests.support.pages import InProcess, Page


@pytest.fixture
def silent_cache(tmp_path):
    """The address of a server that takes connections and never says a word."""
    path = tmp_path / "silent.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(64)
        yield f"unix://{path}"


@pytest.fixture
def page_with(environ):
    """A browser on a product with another cache; the one limiter of this process is put back afterwards."""
    before = vars(limiter).copy()
    yield lambda cache: Page(InProcess(create_app(load_settings({**environ, "REDIS_URL": cache}))))
    vars(limiter).clear()
    vars(limiter).update(before)


def test_a_cache_that_hangs_costs_a_moment_once(page_with, silent_cache):
    page = page_with(silent_cache)
    began = time.monotonic()
    answers = [page.get("/login") for _ in range(20)]

    assert {answer.status for answer in answers} == {200}
    assert time.monotonic() - began < 5


def test_the_state_of_the_parts_is_told_all_the_same(page_with, silent_cache):
    page = page_with(silent_cache)
    began = time.monotonic()

    answer = page.get("/api/health")
    told = json.loads(answer.html)
    assert answer.status == 200  # pages and money go on, so nobody is sent elsewhere
    assert told["status"] == "degraded"
    assert told["parts"]["cache"] == {"ok": False, "words": "Not answering"}
    assert "Not answering" in page.get("/status").text
    assert time.monotonic() - began < 8


def test_a_cache_that_is_gone_costs_nothing(page_with, tmp_path):
    page = page_with(f"unix://{tmp_path / 'nowhere.sock'}")

    assert page.get("/login").status == 200
    assert page.post("/login", {"email": "nobody@test.example", "password": "wrong"}).status == 422
