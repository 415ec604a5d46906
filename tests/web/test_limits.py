"""How often routes may be called: by whom it is counted, what is said, and whose address is believed."""

from __future__ import annotations

import random
import re
import time

import pytest

from advancia.app import create_app
from advancia.config import load_settings
from advancia.web import limits
from advancia.web.limits import Group, limiter
from tests.support.pages import InProcess, Page
from tests.web.test_without_the_cache import page_with  # noqa: F401 - a fixture


@pytest.fixture
def few(monkeypatch):
    """Three of each group in a minute."""
    monkeypatch.setattr(limits, "ALLOWED", dict.fromkeys(Group, "3 per minute"))


@pytest.fixture
def behind(environ):
    """A product behind so many proxies, and a browser on it: `behind(1)`."""
    before = vars(limiter).copy()

    def build(proxies):
        return Page(InProcess(create_app(load_settings({**environ, "TRUSTED_PROXIES": str(proxies)}))))

    yield build
    vars(limiter).clear()
    vars(limiter).update(before)


@pytest.mark.parametrize(
    ("proxies", "noted", "believed"),
    [
        (0, "9.9.9.9", False),
        (1, None, False),
        (1, "9.9.9.9", True),
        (2, "9.9.9.9", False),
        (2, "9.9.9.9, 10.0.0.2", True),
    ],
)
def test_only_our_proxies_give_a_request_its_id(behind, proxies, noted, believed):
    offered = "an-id-from-somebody"
    headers = {"X-Request-ID": offered, **({"X-Forwarded-For": noted} if noted else {})}
    answer = behind(proxies).get("/health", headers=headers)

    assert (answer.headers["X-Request-ID"] == offered) is believed
    assert len(answer.headers["X-Request-ID"]) >= 8


def statuses(page, path, times, **how):
    return [page.get(path, **how).status for _ in range(times)]


def test_whoever_is_signed_in_is_counted_by_account_and_others_by_address(app, few, customer, page_of):
    amara, bilal = page_of(customer("Amara Okafor")), page_of(customer("Bilal Haddad"))
    bilal.transport.client.environ_base["REMOTE_ADDR"] = amara.transport.client.environ_base["REMOTE_ADDR"]
    before = amara.get("/history").status  # the sign-in looked at a page as nobody yet

    assert [before, *statuses(amara, "/history", 3)] == [200, 200, 200, 429]
    assert statuses(bilal, "/history", 1) == [200]


def test_a_group_counts_its_routes_together_and_apart_from_other_groups(app, page, few):
    assert [page.get(path).status for path in ("/login", "/signup", "/help", "/terms")] == [
        200,
        200,
        200,
        429,
    ]
    assert page.post("/login", {"email": "", "password": ""}).status == 422
    assert page.get("/health").status == 200


def test_an_address_has_a_limit_over_all_its_accounts(customer, page_of, monkeypatch):
    amara, bilal = page_of(customer("Amara Okafor")), page_of(customer("Bilal Haddad"))
    for page in (amara, bilal):
        page.transport.client.environ_base["REMOTE_ADDR"] = "192.0.2.77"
    monkeypatch.setattr(limits, "ALLOWED_TO_AN_ADDRESS", "4 per minute")

    assert statuses(amara, "/history", 2) + statuses(bilal, "/history", 3) == [200, 200, 200, 200, 429]


@pytest.mark.parametrize("htmx", [False, True], ids=["a page", "a part of one"])
def test_the_wait_is_the_true_one_and_not_the_length_of_the_window(page, few, monkeypatch, htmx):
    target = "main#main" if htmx else None
    began = time.time()
    statuses(page, "/help", 3, htmx_target=target)
    refused = page.get("/help", htmx_target=target)
    told = int(refused.headers["Retry-After"])

    assert refused.status == 429
    assert 60 - (time.time() - began) - 1 <= told <= 61
    assert re.search(r"Too many tries.? Wait (\d+ seconds|1 minute), then try again\.", refused.text)
    assert ("<html" in refused.html) is not htmx
    assert (refused.headers.get("HX-Retarget") == "#alerts") is htmx


def test_without_the_cache_the_same_limits_are_kept_by_each_process(page_with, few, tmp_path):  # noqa: F811
    page = page_with(f"unix://{tmp_path / 'nowhere.sock'}")

    assert statuses(page, "/help", 4) == [200, 200, 200, 429]
    assert page.post("/login", {"email": "", "password": ""}).status == 422


FORGED = "198.51.100.66"


@pytest.mark.parametrize(
    ("proxies", "forwarded", "counted"),
    [
        (0, None, "10.9.8.7"),
        (0, FORGED, "10.9.8.7"),
        (1, "203.0.113.5", "203.0.113.5"),
        (1, f"{FORGED}, 203.0.113.5", "203.0.113.5"),
        (1, f"{FORGED}, {FORGED}, 203.0.113.5", "203.0.113.5"),
        (2, "203.0.113.5, 192.0.2.1", "203.0.113.5"),
        (2, f"{FORGED}, 203.0.113.5, 192.0.2.1", "203.0.113.5"),
        (1, None, "10.9.8.7"),
        (2, "203.0.113.5", "10.9.8.7"),  # somebody has come around the first proxy
        (1, "unknown", "unknown"),
    ],
)
def test_only_what_the_configured_proxies_wrote_is_believed(behind, proxies, forwarded, counted):
    page = behind(proxies)
    page.transport.client.environ_base["REMOTE_ADDR"] = "10.9.8.7"
    seen = []
    app = page.transport.client.application
    app.before_request_funcs.setdefault(None, []).append(lambda: seen.append(limits.address()))
    page.get("/help", headers={"X-Forwarded-For": forwarded} if forwarded else {})

    assert seen == [f"address:{counted}"]


@pytest.mark.parametrize("proxies", [0, 1, 2])
def test_a_forged_address_gets_nobody_past_the_failures_of_an_address(behind, customer, proxies):
    amara = customer("Amara Okafor")
    page = behind(proxies)
    own = ", ".join([f"203.0.113.{random.randint(1, 254)}", "192.0.2.1"][:proxies])

    def log_in(number, email, password):
        forwarded = ", ".join(filter(None, [f"198.51.100.{number}", own]))
        headers = {"X-Forwarded-For": forwarded}
        page.get("/login", headers=headers)
        return page.post("/login", {"email": email, "password": password}, headers=headers).status

    failures = [log_in(number, f"nobody-{number}@test.example", "wrong") for number in range(5)]
    assert failures == [422] * 5
    assert log_in(9, amara.email, amara.password) == 429
