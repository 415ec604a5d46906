"""Health, clock and alarms, as staff see them."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import func, select, text

from advancia import audit
from advancia.core import alarms, outbox, runs
from advancia.core.alarms import Alarm
from advancia.core.db import db, unit_of_work
from advancia.core.jobs import Job
from advancia.core.outbox import OutboxRow
from advancia.core.recurring import TABLE


class Behind:
    """What stands behind the pages, each look and each change in a context of its own: requests have theirs."""

    def __init__(self, app) -> None:
        self.app = app

    def sound(self, words="The disk is full.", what="backup.failed", about=""):
        with self.app.app_context(), unit_of_work() as session:
            alarms.sound(session, what=what, about=about, words=words)
            return session.scalars(select(func.max(Alarm.id))).one()

    def end_alarms(self):
        self.change("UPDATE alarm SET over_at = now() WHERE over_at IS NULL")

    def put(self, job, **values):
        """A turn of that line."""
        with self.app.app_context(), unit_of_work() as session:
            outbox.put_once(session, job, unique_key=f"{job.value}@{uuid4()}")
            row = session.scalar(select(func.max(OutboxRow.id)))
            for column, value in values.items():
                session.execute(text(f"UPDATE outbox SET {column} = {value} WHERE id = :id"), {"id": row})

    def change(self, statement, **values):
        with self.app.app_context(), unit_of_work() as session:
            session.execute(text(statement), values)

    def ask(self, question):
        with self.app.app_context():
            return question(db.session())


@pytest.fixture
def behind(app):
    """No alarm is open but those of the test, no work is there but its own, and none is left behind."""
    behind = Behind(app)
    behind.end_alarms()
    behind.change("UPDATE outbox SET done_at = now(), parked_at = NULL WHERE done_at IS NULL")
    behind.change("DELETE FROM outbox WHERE kind = 'sweep'")
    yield behind
    behind.end_alarms()
    behind.change("DELETE FROM outbox WHERE kind IN ('sweep', 'chase_payments')")


# Alarms


@pytest.mark.parametrize(
    ("role", "sees"), [("support", False), ("finance", True), ("admin", True), ("owner", True)]
)
def test_an_open_alarm_is_told_on_every_page_to_who_may_see_it(behind, staff_page, role, sees):
    behind.sound()
    page = staff_page(role)

    for path in ("/admin/", "/admin/customers/", "/admin/keys"):
        assert ("1 alarm is open" in page.get(path).text) is sees
    assert ("The disk is full." in page.get("/admin/").text) is sees


def test_where_none_is_open_there_is_no_banner(behind, staff_page):
    page = staff_page("owner")

    assert page.get("/admin/").all(".note.alarms") == []
    assert "None. Whatever sounded has passed" in page.get("/admin/alarms/").text


def test_an_alarm_leads_to_where_it_is_mended(behind, staff_page):
    page = staff_page("owner")
    for what, about, place in (
        ("backup.failed", "", "/admin/backups/"),
        ("clock.failed", "sweep", "/admin/clock/sweep"),
        ("work.parked", "", "/admin/work/?state=parked"),
        ("ledger.proof", "", "/admin/health/"),
        ("something.else", "", None),
    ):
        shown = page.get(f"/admin/alarms/{behind.sound(what=what, about=about)}")
        links = [link["href"] for link in shown.all("main a.button") if "mended" in link.text]
        assert links == ([place] if place else [])


def test_silencing_asks_for_a_reason_and_is_written_down(behind, staff_page):
    number, page = behind.sound(), staff_page("finance")
    refused = page.submit(f"/admin/alarms/{number}")
    assert refused.status == 422
    assert "Say why" in refused.one("#reason-error").text
    assert behind.ask(lambda session: alarms.alarm(session, number)).state == "open"

    done = page.submit_form(refused, reason="A new disk is on its way.")
    assert done.status == 303
    shown = page.follow(done)
    assert "A new disk is on its way." in shown.text
    assert shown.all(".note.alarms") == []
    (line,) = behind.ask(lambda session: audit.records_of(session, kind="alarm", id=number, limit=9))
    assert (line.action, line.reason) == ("alarm.silenced", "A new disk is on its way.")


def test_a_second_click_is_told_that_there_is_nothing_left_to_silence(behind, staff_page):
    number, page = behind.sound(), staff_page("admin")
    form = page.get(f"/admin/alarms/{number}")
    page.submit_form(form, reason="I look at it.")
    again = page.submit_form(form, reason="I look at it.")

    assert again.status == 422
    assert "not open any more" in again.text
    assert len(behind.ask(lambda session: audit.records_of(session, kind="alarm", id=number, limit=9))) == 1


def test_the_history_keeps_what_is_over_and_goes_by_pages(behind, staff_page):
    first = behind.sound("The very first.", what=f"test.{uuid4().hex}")
    for _ in range(50):
        behind.sound(what=f"test.{uuid4().hex}")
    behind.end_alarms()
    page = staff_page("finance")
    shown = page.get("/admin/alarms/")
    assert "The very first." not in shown.text

    older = page.get(shown.one("a[rel=next]")["href"])
    row = older.one(f"tbody a[href='/admin/alarms/{first}']").find_parent("tr")
    assert "Over" in row.text


def test_there_is_no_alarm_of_a_number_that_nobody_gave(behind, staff_page):
    page = staff_page("owner")

    for number in ("999999999", str(2**70)):
        assert page.get(f"/admin/alarms/{number}").status == 404


# The clock


def test_each_line_is_told_with_its_rhythm_its_last_run_and_its_next(behind, staff_page):
    behind.put(Job.SWEEP, done_at="now()", outcome="'7 pieces deleted.'", seconds="3.2")
    shown = staff_page("finance").get("/admin/clock/")
    rows = {row.select_one("a.reach").text: " ".join(row.text.split()) for row in shown.all("tbody tr")}

    assert list(rows) == [line.words for line in TABLE]
    told = rows["Delete what has served its purpose"]
    assert "Every hour at 17 minutes past" in told
    assert "Done" in told
    assert "7 pieces deleted." in told
    assert "3 s" in told


def test_a_run_that_gave_up_is_told_with_its_trouble(behind, staff_page):
    behind.put(Job.SWEEP, parked_at="now()", attempts="24", last_error="'OSError: no space'")
    page = staff_page("finance")

    for path in ("/admin/clock/", "/admin/clock/sweep"):
        assert "Gave up" in page.get(path).text
        assert "OSError: no space" in page.get(path).text


def test_a_clock_that_is_not_heard_is_told(behind, staff_page):
    page = staff_page("owner")
    behind.change("DELETE FROM heartbeat WHERE process = 'clock'")
    assert "The clock is not heard" in page.get("/admin/clock/").text

    behind.change("INSERT INTO heartbeat (process, instance) VALUES ('clock', 'near:7')")
    assert "The clock is not heard" not in page.get("/admin/clock/").text


def test_an_owner_has_a_line_run_now_once_and_with_a_reason(behind, staff_page):
    page = staff_page("owner")
    form = page.get("/admin/clock/sweep")
    assert page.submit_form(form).status == 422
    assert behind.ask(lambda session: runs.recent(session, Job.SWEEP, limit=9)) == []

    first = page.submit_form(form, reason="Room is short.")
    second = page.submit_form(form, reason="Room is short.")
    assert (first.status, second.status) == (303, 303)
    assert len(behind.ask(lambda session: runs.recent(session, Job.SWEEP, limit=9))) == 1
    line = behind.ask(lambda session: audit.records_of(session, kind="clock", id="sweep", limit=1))[0]
    assert (line.action, line.reason) == ("clock.run_requested", "Room is short.")

    refused = page.submit("/admin/clock/sweep", reason="Once more.")
    assert refused.status == 422
    assert "has not ended yet" in refused.one("#reason-error").text
    assert "Once more." in refused.html


def test_only_an_owner_is_offered_a_run(behind, staff_page):
    assert staff_page("admin").get("/admin/clock/sweep").all("main form") == []
    assert len(staff_page("owner").get("/admin/clock/sweep").all("main form")) == 1


def test_only_what_recurs_has_a_page(behind, staff_page):
    page = staff_page("owner")

    for job in ("send_email", "nonsense"):
        assert page.get(f"/admin/clock/{job}").status == 404


# Health


def test_all_parts_processes_and_queues_stand_on_one_page(behind, staff_page):
    behind.change("DELETE FROM heartbeat")
    behind.change("INSERT INTO heartbeat (process, instance) VALUES ('worker', 'near:7')")
    behind.change(
        "INSERT INTO heartbeat (process, instance, seen_at) VALUES ('relay', 'far:7', now() - interval '5 min')"
    )
    behind.put(Job.CHASE_PAYMENTS, parked_at="now()")
    behind.sound("It is crowded.")
    shown = staff_page("finance").get("/admin/health/")

    assert "Working" in shown.one("#part-worker").text
    assert "Silent for 5 minutes" in shown.one("#part-relay").text
    assert "far:7" in shown.text
    assert shown.all("a[href='/admin/work/?kind=chase_payments&state=parked']")
    assert "It is crowded." in shown.text
    assert "MB" in shown.text


def test_work_is_counted_by_its_kind_and_state(behind, staff_page):
    behind.put(Job.SWEEP)
    behind.put(Job.SWEEP, handed_at="now()")
    behind.put(Job.SWEEP, attempts="2", available_at="now() + interval '1 hour'")
    behind.put(Job.SWEEP, available_at="now() + interval '1 hour'")
    behind.put(Job.SWEEP, parked_at="now()")
    rows = staff_page("finance").get("/admin/health/").all("[aria-labelledby=queues] tbody tr")

    assert ["Sweep", "1", "1", "1", "1", "1"] in [
        [cell.text.strip() for cell in row.select("td")] for row in rows
    ]


def test_the_page_answers_304_until_something_changes_and_is_no_sign_of_a_person(behind, staff_page):
    page = staff_page("finance")
    version = page.get("/admin/health/").headers["HX-PTag"]
    asked = {"HX-PTag": version}
    # Other figures than ours may have changed meanwhile; then the second answer has a version of its own.
    answers = [page.get("/admin/health/", htmx_target="div#live", headers=asked) for _ in range(2)]
    assert 304 in {answer.status for answer in answers}

    behind.sound("New trouble.")
    changed = page.get("/admin/health/", htmx_target="div#live", headers=asked)
    assert changed.status == 200
    assert "New trouble." in changed.text
    assert changed.one("#live")["hx-trigger"] == "every 10s"


def test_the_mail_about_an_alarm_leads_to_the_alarms(app):
    from worker.jobs.mail import written

    with app.test_request_context():
        facts = {"name": "Ada", "what": "clock.missed", "about": "sweep", "words": "It was missed."}
        mail = written("alarm", to="ada@test.example", key="k", facts=facts)

    assert "/admin/alarms/" in mail.text


def test_the_work_log_tells_what_came_of_it_and_the_trail_leads_to_the_alarm(behind, staff_page):
    behind.put(Job.SWEEP, done_at="now()", outcome="'7 pieces deleted.'", last_error="'OSError: no space'")
    page = staff_page("owner")
    row = page.get("/admin/work/?kind=sweep").one("tbody tr").text
    assert "7 pieces deleted." in row
    assert "OSError" not in row

    number = behind.sound()
    page.submit(f"/admin/alarms/{number}", reason="We know.")
    assert page.get("/admin/audit/?action=alarm.silenced").all(f"a[href='/admin/alarms/{number}']")
