"""Owners have the launch check run, see how far it is, and what it found; canaries are told from customers."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, func, insert, select, update

from advancia.core import canaries
from advancia.core.db import db, unit_of_work
from advancia.core.jobs import Job
from advancia.core.money import Money
from advancia.core.outbox import OutboxRow
from advancia.identity.models import User
from advancia.ops.launch.models import LaunchRun
from tests.support.factors import audited
from tests.support.people import give, new_staff


@pytest.fixture
def owner(app):
    return new_staff(app, "owner", "Olu Winters")


@pytest.fixture
def page(staff_page, owner):
    return staff_page("owner", owner)


@pytest.fixture(autouse=True)
def nothing_left(app):
    """No run that is open, and none that waits: other tests would conduct it with their work."""
    yield
    with app.app_context(), unit_of_work() as session:
        session.execute(delete(OutboxRow).where(OutboxRow.kind == Job.CHECK_LAUNCH.value))
        session.execute(delete(LaunchRun))


@pytest.fixture
def run(app):
    """A run that found these: `run(("blocker", "It runs as production"))`; open or done."""

    def keep(*found, state="done"):
        seen = {"evidence": "Seen.", "remedy": "", "seconds": 0.1}
        lines = [{"name": words, "words": words, "state": each, **seen} for each, words in found]
        ends = None if state == "open" else func.now()
        values = {"state": state, "finished_at": ends, "url": "https://pay.test.example", "checks": 9}
        with app.app_context(), unit_of_work() as session:
            return session.scalars(
                insert(LaunchRun).values(**values, findings=lines).returning(LaunchRun.id)
            ).one()

    return keep


def test_a_check_is_asked_for_once_however_often_the_button_is_pressed(app, owner, page):
    first = page.submit("/admin/launch/")
    again = page.submit("/admin/launch/")

    assert (first.status, again.status) == (303, 303)
    assert "A launch check is running" in page.follow(again).text
    with app.app_context():
        asked = db.session.scalars(select(OutboxRow.payload).where(OutboxRow.kind == "check_launch")).all()
    assert [f"/admin/launch/{each['run_id']}" for each in asked] == [first.location]
    assert audited(app, owner)[0] == "launch_check.requested"


def test_a_run_that_has_lost_its_process_stands_in_nobodys_way(app, page, run):
    lost = run(state="open")
    with app.app_context(), unit_of_work() as session:
        session.execute(update(LaunchRun).values(begun_at=func.now() - func.make_interval(0, 0, 0, 0, 1)))

    assert page.submit("/admin/launch/").location != "/admin/launch/"
    assert "its process died" in page.get(f"/admin/launch/{lost}").text


def test_a_run_shows_how_far_it_is_and_asks_again_until_it_is_over(page, run):
    open_run = page.get(f"/admin/launch/{run(('ok', 'Mail is taken'), state='open')}")

    assert "1 of 9 are looked at" in open_run.text
    figures = [each.text.strip() for each in open_run.all("section[aria-labelledby=score] dd")]
    assert figures == ["1 of 9", "1"]
    part = open_run.one("#launch-run")
    assert part["hx-trigger"] == "every 2s"
    same = page.get(part["hx-get"], htmx_target="div#launch-run", headers={"HX-PTag": part["hx-ptag"]})
    assert same.status == 304


def test_the_scorecard_puts_what_blocks_first_and_has_evidence_and_remedy(page, run):
    shown = page.get(
        f"/admin/launch/{run(('ok', 'Mail is taken'), ('blocker', 'It runs'), ('unknown', 'Loop'))}"
    )

    assert [each.text for each in shown.all(".findings strong")] == ["It runs", "Loop", "Mail is taken"]
    assert shown.one("h1").text.endswith("Not ready")
    assert shown.all("section[aria-labelledby^=state] h2")[0].text.endswith(": 1")
    assert "#i-error" in str(shown.one("li.blocker .icon"))
    assert "hx-get" not in shown.one("#launch-run").attrs
    assert [each.text.strip() for each in page.get("/admin/launch/").all("tbody td.n")] == [
        "1",
        "1",
        "0",
        "1",
    ]


def test_canaries_are_marked_wherever_people_are_and_counted_nowhere(app, page, customer):
    counted = page.get("/admin/").all("section[aria-labelledby=people] dd")[0].text
    amara = customer("Amara Okafor")
    with app.app_context(), unit_of_work() as session:
        session.execute(
            update(User).where(User.id == amara.id).values(email=canaries.address_of(amara.handle))
        )
    give(app, amara.id, Money.of("1.00", "USD"))
    with app.app_context(), unit_of_work() as session:
        session.execute(update(User).where(User.id == amara.id).values(suspended_at=func.now()))
    assert "Closed" in page.get(f"/admin/customers/?q={amara.handle}").one("tbody").text

    assert page.get("/admin/").all("section[aria-labelledby=people] dd")[0].text == counted
    for place in (
        f"/admin/customers/?q={amara.handle}",
        f"/admin/customers/{amara.id}",
        "/admin/transactions/",
    ):
        assert "Canary" in [each.text for each in page.get(place).all("main .tag")], place
