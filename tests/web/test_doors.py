"""Only so many may stand in the doors at once; the pages, and those who are inside, do not wait behind them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from advancia.app import create_app
from advancia.core.errors import Busy
from advancia.web import doors
from advancia.web.doors import Doors
from tests.support.pages import InProcess, Page, sign_in
from tests.support.servers import eventually


@pytest.fixture
def narrow(settings, monkeypatch):
    """A product whose one door is held by somebody else."""
    held = Doors(at_once=1, in_line=0)
    held.enter()
    monkeypatch.setattr(Doors, "among", classmethod(lambda _cls, **_how: held))
    return create_app(settings)


def test_so_many_are_let_through_so_many_wait_and_the_rest_are_sent_away():
    gate, release, inside = Doors(at_once=2, in_line=3), threading.Event(), []

    def come(_number):
        try:
            gate.enter()
        except Busy:
            return "sent away"
        inside.append(1)
        release.wait(10)
        gate.leave()
        return "let in"

    with ThreadPoolExecutor(8) as pool:
        visits = [pool.submit(come, number) for number in range(8)]
        eventually(lambda: sum(visit.done() for visit in visits) == 3, "three are sent away")
        assert len(inside) == 2
        release.set()
        outcomes = [visit.result() for visit in visits]
    assert outcomes.count("let in") == 5


def test_whoever_waits_too_long_is_sent_away_and_leaves_no_trace(monkeypatch):
    monkeypatch.setattr(doors, "PATIENCE_SECONDS", 0.05)
    gate = Doors(at_once=1, in_line=1)
    gate.enter()
    for _ in range(3):
        with pytest.raises(Busy):
            gate.enter()
    gate.leave()

    gate.enter()


@pytest.mark.parametrize(("threads", "processes"), [(8, 1), (8, 2), (2, 1), (1, 1), (64, 4)])
def test_a_quarter_of_the_threads_never_stands_there(threads, processes):
    gate = Doors.among(threads=threads, processes=processes)
    places = gate.at_once + gate.in_line

    assert 1 <= places <= max(1, threads - threads // 4)
    assert gate.at_once >= 1


def test_while_the_doors_are_full_the_pages_are_open_and_signing_in_says_when_to_come_back(narrow, customer):
    page = Page(InProcess(narrow))
    assert page.get("/login").status == 200
    refused = page.post(
        "/login", {"email": customer("Amara Okafor").email, "password": "a long password for tests"}
    )

    assert refused.status == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert "Wait a few seconds, then try again." in refused.text


def test_whoever_is_inside_is_not_held_up_at_the_doors(app, narrow, customer):
    page = sign_in(Page(InProcess(app)), customer("Amara Okafor"))
    inside = Page(InProcess(narrow))
    for cookie in ("session", "device"):
        inside.transport.client.set_cookie(cookie, page.transport.client.get_cookie(cookie).value)

    assert inside.submit_form(inside.get("/wallet"), "form[action$='/logout']").location == "/login"


def test_every_request_leaves_the_door_again_also_when_it_fails(settings, monkeypatch, customer):
    gate = Doors(at_once=1, in_line=0)
    monkeypatch.setattr(Doors, "among", classmethod(lambda _cls, **_how: gate))
    app = create_app(settings)
    page = Page(InProcess(app))
    page.get("/login")
    for typed in (
        {"email": ""},
        {"email": "nobody@test.example", "password": "wrong"},
        {"csrf_token": "forged"},
    ):
        assert page.post("/login", typed).status == 422

    gate.enter()  # which would raise if a place was left taken
