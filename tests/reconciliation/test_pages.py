"""Finance sees what was compared, follows a difference to both its sides, resolves it, and somebody else signs off."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import text

from advancia import ledger
from advancia.core.db import db, in_unit_of_work
from advancia.core.money import asset
from advancia.reconciliation import cli, onward, queries
from advancia.reconciliation.errors import AlreadySentOn
from advancia.reconciliation.found import Kind, Side
from advancia.reconciliation.shown import Wanted
from tests.reconciliation import provider
from tests.reconciliation.provider import Provider, a_difference
from tests.reconciliation.test_runs import wait_until_somebody_waits
from tests.support.pages import InProcess, Page, adopt_session
from tests.support.people import new_staff
from tests.support.work import work_off

HERE = "/admin/reconciliation/"
RESOLVED_MEANWHILE = """
    update reconciliation_difference set state = 'resolved', reason = 'x', closed_at = now(), resolved_by = :me
    where id = :difference
"""
SIGNED_MEANWHILE = """
    update reconciliation_run set signed_off_by = :me, signed_off_at = now(), note = 'x' where id = :run
"""


@pytest.fixture
def colleague(app):
    """A member of staff at their browser."""

    def sit_down(role="finance", name="Sam Adeyemi"):
        person = new_staff(app, role, name)
        page = adopt_session(Page(InProcess(app)), app, person)
        page.person = person
        return page

    return sit_down


@pytest.fixture
def finance(colleague):
    return colleague()


@pytest.fixture
def reconcile(app):
    """A whole run, as the worker does it."""

    def do(*outsides, **more):
        with app.app_context():
            return provider.reconcile(*outsides, **more)

    return do


@pytest.fixture
def the_difference(app):
    """The newest difference, as it stands now."""

    def look():
        with app.app_context():
            return queries.differences(db.session(), Wanted(), limit=1)[0]

    return look


@pytest.fixture
def posted(app):
    """What was posted to put a difference right, by account."""

    def look(row):
        with app.app_context():
            found = ledger.transaction(db.session(), f"reconciliation:{row.id}")
        return {entry.account.purpose: entry.amount.minor for entry in found.entries} if found else None

    return look


def test_nothing_has_run_yet_and_the_page_says_what_will_stand_there(app, finance):
    shown = finance.get(HERE)

    assert "No run yet" in shown.text
    assert "Reconciliation" in shown.one("nav.rooms").text
    assert "Nothing has ever differed" in finance.get(f"{HERE}differences/").text


def test_a_run_is_asked_for_shows_how_far_it_is_and_then_its_verdict(app, finance):
    asked = finance.submit(HERE, form="form[action='/admin/reconciliation/']")
    assert asked.status == 303
    running = finance.follow(asked)
    live = running.one("#reconciliation-run")
    assert "Waiting for the worker" in running.text
    assert "every 2s" in live["hx-trigger"]
    again = finance.submit(HERE, form="form[action='/admin/reconciliation/']")
    assert again.location.endswith("?state=running")
    same = finance.get(asked.location, headers={"HX-PTag": live["hx-ptag"]})
    assert same.status == 304

    work_off(app)
    done = finance.get(asked.location)
    assert done.status == 200
    assert "At work" not in done.text
    assert "Paid deposits against their credits" in done.text
    assert "hx-trigger" not in done.one("#reconciliation-run").attrs


def test_a_matched_run_says_so_and_is_signed_off_without_a_word(app, finance, reconcile):
    run = reconcile(Provider())
    shown = finance.get(f"{HERE}{run.id}")
    assert "Nothing differs" in shown.text
    assert "Matched" in finance.get(HERE).one("#results").text

    assert finance.submit_form(shown, f"form[action='{HERE}{run.id}/sign-off']").status == 303
    signed = finance.get(f"{HERE}{run.id}")
    assert "Signed off" in signed.text
    assert not signed.all("form[action$='/sign-off']")


def test_what_differs_is_listed_with_both_amounts_and_found_by_its_kind(app, finance, reconcile):
    run = reconcile(
        Provider(
            a_difference("one"),
            a_difference("two", kind=Kind.AMOUNT, our_ref="deposit:x", our_amount=900, words="Not the same."),
        )
    )
    shown = finance.get(f"{HERE}{run.id}?kind=amount")
    row = shown.one("#results tbody tr").text

    assert "Another amount" in row
    assert "9.00" in row
    assert "12.00" in row
    assert "Missing in our books" in finance.get(f"{HERE}differences/?state=unresolved&provider=sandbox").text
    assert "Nothing fits" in finance.get(f"{HERE}{run.id}?state=resolved").text
    assert shown.all("a[href*='check=payments']")


def test_what_both_sides_check_under_one_name_is_told_apart(finance, reconcile):
    run = reconcile(
        Provider(
            a_difference("one", check="refunds", kind=Kind.AMOUNT),
            a_difference("two", check="refunds", side=Side.INSIDE, provider=None, their_ref="=1+1"),
        )
    )
    rows = finance.get(f"{HERE}{run.id}?side=inside&check=refunds").all("#results tbody tr")
    assert len(rows) == 1
    assert "Missing in our books" in rows[0].text

    file = finance.get(f"{HERE}{run.id}/differences.csv?check=refunds")
    lines = file.html.splitlines()
    assert file.headers["Content-Type"].startswith("text/csv")
    assert (len(lines), "'=1+1" in file.html) == (3, True)
    assert ",USD,,12.00," in lines[1]
    assert lines[0].startswith("id,state,kind,side,check,provider")
    only = finance.get(f"{HERE}{run.id}?side=outside").one("a[href*='.csv']")["href"]
    assert len(finance.get(only).html.splitlines()) == 2


def test_a_difference_is_assigned_and_explained_with_a_reason_once(app, finance, reconcile, the_difference):
    reconcile(Provider(a_difference()))
    row = the_difference()
    path = f"{HERE}differences/{row.id}"
    opened = finance.get(path)
    assigned = finance.submit_form(
        opened, f"form[action='{path}/assignment']", user_id=str(finance.person.id)
    )
    assert assigned.status == 303
    assert f"With {finance.person.name}" in finance.get(path).text

    unsaid = finance.submit_form(opened, f"form[action='{path}/explanation']", reason="")
    assert (unsaid.status, "Say why" in unsaid.text) == (422, True)
    explained = finance.submit_form(
        opened, f"form[action='{path}/explanation']", reason="A test payment, case 7."
    )
    assert explained.status == 303
    late = finance.submit_form(opened, f"form[action='{path}/explanation']", reason="A test payment, case 7.")
    assert (late.status, late.location) == (303, path)
    shown = finance.get(path)
    assert "A test payment, case 7." in shown.text
    assert "closed meanwhile" in shown.text
    assert not shown.all("form[action$='/explanation']")
    assert the_difference().state == "resolved"


def test_nobody_but_staff_who_may_reconcile_is_given_a_difference(app, finance, reconcile, the_difference):
    reconcile(Provider(a_difference()))
    path = f"{HERE}differences/{the_difference().id}"
    finance.get(path)

    refused = finance.post(f"{path}/assignment", {"user_id": str(app.house.person())})
    assert refused.status == 422


def test_a_correction_is_previewed_as_its_legs_and_posted_once_for_a_reason(
    app, finance, reconcile, the_difference, posted
):
    reconcile(Provider(a_difference()))
    row = the_difference()
    path = f"{HERE}differences/{row.id}"
    assert f"{path}/posting" in [link["href"] for link in finance.get(path).all("a.button.primary")]
    proposed = finance.get(f"{path}/posting")
    assert "Nothing is posted yet" in proposed.text
    assert [leg.text.split()[0] for leg in proposed.all("table.legs tbody td.lead")] == [
        "Clearing,",
        "Suspense",
    ]
    other = finance.get(f"{path}/posting?source=clearing.sandbox&destination=fees")
    assert "Fees" in other.one("table.legs").text
    assert "Choose two different" in finance.get(f"{path}/posting?source=fees&destination=fees").text
    assert posted(row) is None

    unsaid = finance.submit_form(proposed, f"form[method=post][action='{path}/posting']", reason="")
    assert (unsaid.status, "Say why" in unsaid.text) == (422, True)
    for _click in range(2):
        sent = finance.submit_form(unsaid, f"form[method=post][action='{path}/posting']", reason="Case 8")
        assert (sent.status, sent.location) == (303, path)
    assert posted(row) == {"clearing.sandbox": -1200, "suspense": 1200}
    shown = finance.get(path)
    assert f"reconciliation:{row.id}" in shown.text
    assert reconcile(Provider(a_difference())).state == "matched"


@pytest.fixture
def corrected(finance, reconcile, the_difference):
    """12.00, or as much as is said, that Sam has put into suspense to put a difference right: its row."""

    def put(minor=1200):
        reconcile(Provider(a_difference(their_amount=minor)))
        path = f"{HERE}differences/{the_difference().id}/posting"
        assert finance.submit(path, f"form[method=post][action='{path}']", reason="Case 20").status == 303
        return the_difference()

    return put


def test_what_a_correction_put_into_suspense_waits_there_and_is_sent_on_once(
    app, finance, corrected, reconcile
):
    row, bilal = corrected(), app.house.person()
    path = f"{HERE}differences/{row.id}/onward"
    listed = finance.get("/admin/payments/suspense")
    assert "Case 20" in listed.text
    assert listed.all(f"a[href='{HERE}differences/{row.id}']")
    assert path in [link["href"] for link in listed.all("td.lead a")]
    assert finance.get(f"{HERE}differences/{row.id}").all(f"a[href='{path}']")
    opened = finance.get(path)

    for typed, message in (
        ({"to": "customer", "who": ""}, "Say whose it is"),
        ({"to": "house", "who": str(bilal)}, "name no customer"),
        ({"to": "customer", "who": "nobody@nowhere.example"}, "no such customer"),
    ):
        refused = finance.submit_form(opened, f"form[action='{path}']", reason="Case 21", **typed)
        assert (refused.status, message in refused.text, "Case 21" in refused.text) == (422, True, True)
    for _click in range(2):
        sent = finance.submit_form(
            opened, f"form[action='{path}']", to="customer", who=str(bilal), reason="Case 21"
        )
        assert (sent.status, sent.location) == (303, f"{HERE}differences/{row.id}")
    with app.app_context():
        assert ledger.balance(db.session(), ledger.available(bilal), asset("USD")).minor == 1200
    assert "Case 20" not in finance.get("/admin/payments/suspense").text
    assert "Nothing of this difference" in finance.get(path).text
    assert reconcile(Provider()).state == "matched"


def test_what_is_sent_on_to_the_house_and_rolled_back_waits_again(app, finance, corrected, reconcile):
    row = corrected()
    path, reference = f"{HERE}differences/{row.id}/onward", f"reconciliation:{row.id}:onward"
    for number in ("", ":2"):
        assert finance.submit(path, f"form[action='{path}']", to="house", reason="Case 22").status == 303
        app.house.roll_back(f"{reference}{number}")
        assert "Case 20" in finance.get("/admin/payments/suspense").text

    assert reconcile(Provider()).state == "matched"


def test_much_is_sent_on_by_another_person_than_put_it_there(app, finance, colleague, corrected):
    row = corrected(200_000)
    path = f"{HERE}differences/{row.id}/onward"
    assert "somebody else has to send it on" in finance.get(path).text
    typed = {"to": "house", "who": "", "reason": "Case 23"}
    own = finance.post(path, typed, headers={"Origin": "http://localhost"})
    assert (own.status, "somebody else has to send it on" in own.text) == (422, True)

    assert (
        colleague("admin").submit(path, f"form[action='{path}']", to="house", reason="Case 23").status == 303
    )


def test_two_who_send_it_on_at_once_send_it_once(app, corrected):
    row, people = corrected(), [app.house.person() for _ in range(2)]
    start = Barrier(2)

    def send(user_id):
        start.wait()
        try:
            with app.app_context():
                in_unit_of_work(
                    lambda session: onward.send_on(
                        session, actor=app.staff[1], difference_id=row.id, user_id=user_id, reason="Case 24"
                    )
                )
        except AlreadySentOn:
            return "late"
        return "sent"

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(send, people)) == ["late", "sent"]


def test_a_forged_account_is_refused_and_nothing_is_posted(app, finance, reconcile, the_difference, posted):
    reconcile(Provider(a_difference()))
    row = the_difference()
    path = f"{HERE}differences/{row.id}/posting"
    finance.get(path)

    for source, destination in (("available", "suspense"), ("suspense", "suspense")):
        refused = finance.post(path, {"source": source, "destination": destination, "reason": "Mine"})
        assert refused.status == 422
    assert posted(row) is None


def test_what_has_no_amount_cannot_be_posted(app, finance, reconcile, the_difference):
    reconcile(Provider(a_difference(kind=Kind.STATE, their_amount=None, asset=None)))
    path = f"{HERE}differences/{the_difference().id}"

    assert "No amount differs here" in finance.get(f"{path}/posting").text
    assert not finance.get(path).all("a[href$='/posting']")
    refused = finance.post(f"{path}/posting", {"source": "fees", "destination": "suspense", "reason": "Mine"})
    assert refused.status == 422


def test_who_resolved_something_does_not_sign_off_and_who_asked_neither(
    app, finance, colleague, reconcile, the_difference
):
    run = reconcile(
        Provider(a_difference("one"), a_difference("two")), kind="asked", asked_by=finance.person.id
    )
    row, path = the_difference(), f"{HERE}{run.id}"
    admin, owner = colleague("admin", "Nia Okafor"), colleague("owner", "Omar Haddad")
    opened = admin.get(path)
    resolved = admin.submit(
        f"{HERE}differences/{row.id}", f"form[action$='{row.id}/explanation']", reason="Known, case 9."
    )
    assert resolved.status == 303

    assert "You asked for this run" in finance.get(path).text
    assert "You resolved a difference" in admin.get(path).text
    assert not admin.get(path).all("form[action$='/sign-off']")
    sneaked = admin.submit_form(opened, f"form[action='{path}/sign-off']", note="Mine")
    assert (sneaked.status, "somebody else signs it off" in sneaked.text) == (422, True)
    silent = owner.submit(path, f"form[action='{path}/sign-off']", note="")
    assert (silent.status, "Say why it can be signed off" in silent.text) == (422, True)
    assert owner.submit(path, f"form[action='{path}/sign-off']", note="Case 10 is open.").status == 303
    assert "Case 10 is open." in finance.get(path).text
    assert "Omar Haddad" in finance.get(HERE).one("#results").text


@pytest.mark.parametrize(
    ("meanwhile", "form", "path_of", "typed", "message"),
    [
        (
            RESOLVED_MEANWHILE,
            "sign-off",
            "{run}",
            {"note": "Case 11"},
            "You resolved a difference of this run",
        ),
        (
            SIGNED_MEANWHILE,
            "explanation",
            "differences/{difference}",
            {"reason": "Case 12"},
            "You signed off a run that has this difference",
        ),
    ],
    ids=["signs off late", "resolves late"],
)
def test_who_does_both_at_the_same_moment_is_told_in_the_page_and_loses_nothing(
    app, colleague, reconcile, the_difference, meanwhile, form, path_of, typed, message
):
    admin, run = colleague("admin", "Nia Okafor"), reconcile(Provider(a_difference()))
    ids = {"run": run.id, "difference": the_difference().id}
    opened, scratch = admin.get(HERE + path_of.format(**ids)), app.house.scratch
    with scratch.session() as other, ThreadPoolExecutor(1) as thread:
        other.execute(
            text(meanwhile),
            {"me": admin.person.id} | {name: ids[name] for name in ids if f":{name}" in meanwhile},
        )
        late = thread.submit(admin.submit_form, opened, f"form[action$='/{form}']", **typed)
        wait_until_somebody_waits(scratch)
        other.commit()
        answer = late.result()

    assert (answer.status, message in answer.text) == (422, True)
    assert next(iter(typed.values())) in answer.text


@pytest.mark.parametrize(
    ("path_of", "form", "typed", "quicker"),
    [
        ("{run}", "sign-off", {"note": "Mine, case 13"}, {"note": "Case 14 is open."}),
        ("differences/{difference}", "explanation", {"reason": "Mine, case 13"}, {"reason": "Case 14."}),
        ("differences/{difference}/posting", "posting", {"reason": "Mine, case 13"}, {"reason": "Case 14."}),
    ],
    ids=["signs off", "explains", "posts"],
)
def test_who_comes_second_is_told_how_it_stands_and_keeps_what_they_typed(
    colleague, reconcile, the_difference, path_of, form, typed, quicker
):
    run, first, second = reconcile(Provider(a_difference())), colleague("admin"), colleague("owner")
    path = HERE + path_of.format(run=run.id, difference=the_difference().id)
    opened = second.get(path)
    assert first.submit(path, f"form[action$='/{form}'][method=post]", **quicker).status == 303
    late = second.submit_form(opened, f"form[action$='/{form}'][method=post]", **typed)

    assert (late.status, "Mine, case 13" in late.text, "meanwhile" in late.text) == (422, True, True)


def all_mails(app):
    return "\n".join(
        each.read_text(errors="replace")
        for each in (app.house.scratch.servers.folder / app.house.scratch.name).rglob("*.eml")
    )


def test_the_report_is_mailed_with_what_each_check_has_seen(app, finance, reconcile):
    reconcile(Provider(a_difference()))
    work_off(app)

    mails = all_mails(app)
    assert "The reconciliation differs: 1 difference is open." in mails
    assert "/admin/reconciliation/" in mails


def test_what_was_not_looked_at_is_said_on_the_page_and_in_the_mail(app, finance, reconcile):
    remark = "Payouts are not compared: set the key."
    run = reconcile(Provider(remark=remark))
    work_off(app)

    assert run.state == "matched"
    assert "what was compared agrees. 1 check was not made." in finance.get(f"{HERE}{run.id}").text
    assert remark in finance.get(f"{HERE}{run.id}").text
    assert f"~ {remark}" in all_mails(app)
    with app.app_context():
        assert f"  ~ {remark}" in cli._words(run).splitlines()


def test_support_has_no_way_there(app, colleague, reconcile, the_difference):
    support = colleague("support")
    run = reconcile(Provider(a_difference()))

    for path in (HERE, f"{HERE}{run.id}", f"{HERE}differences/", f"{HERE}differences/{the_difference().id}"):
        assert support.get(path).status == 403
    assert finance_room_is_hidden(support)


def finance_room_is_hidden(page):
    return "Reconciliation" not in page.get("/admin/").one("nav.rooms").text
