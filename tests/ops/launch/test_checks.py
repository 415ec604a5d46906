"""Each check finds a well-set copy fine, and the fault that it is there for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from advancia.core.clock import utcnow
from advancia.ops.launch.checks.outside import NOBODY, NOWHERE, WHOSE
from advancia.ops.launch.registry import State, Weight, checks
from tests.support.launch import GIB, PUBLIC_URL, Inside

OK, BLOCKER, WARNING, UNKNOWN = State.OK, State.BLOCKER, State.WARNING, State.UNKNOWN

WITHOUT_CRYPTOMUS = dict.fromkeys(("CRYPTOMUS_MERCHANT", "CRYPTOMUS_PAYMENT_KEY", "CRYPTOMUS_PAYOUT_KEY"))
# What asks a mail server, a provider or the network is looked at by itself, below and in its own modules.
TALKS = {"certificate", "mail", "card-webhooks", "crypto-webhooks", "canary-loop"}


@pytest.mark.parametrize("name", [each.name for each in checks() if each.name not in TALKS])
def test_a_well_set_copy_is_fine(well_set, name):
    found = well_set.find(name)

    assert (found.state, found.remedy) == (OK, ""), found.evidence


# What the database would not let even its owner do.
FREELY = "alter table users disable trigger user; "
PLANTED = [
    ("migrations", "update alembic_version set version_num = '0001_ledger'", "0001_ledger"),
    ("ledger-proven", "update full_proof set proven_at = now() - interval '27 hours'", "1,620 minutes ago"),
    ("ledger-proven", "update full_proof set verdict = 'wrong', differences = 3", "3 differences"),
    ("ledger-proven", "delete from full_proof", "never proven"),
    (
        "quick-check",
        "alter table ledger.proof disable trigger user; delete from ledger.proof",
        "never checked",
    ),
    (
        "seals-fresh",
        "alter table ledger.seal disable trigger user; delete from ledger.seal",
        "Nothing was ever sealed",
    ),
    (
        "reconciliation",
        "update reconciliation_run set finished_at = now() - interval '3 days'",
        "4,320 minutes ago",
    ),
    ("reconciliation", "update reconciliation_run set state = 'differs'", "not signed off"),
    ("reconciliation", "update reconciliation_run set state = 'alarm'", "not signed off"),
    ("reconciliation", "update reconciliation_run set provider = 'stripe'", "Nothing was ever reconciled"),
    (
        "reconciliation",
        "update reconciliation_run set kind = 'asked', window_from = now() - interval '1 hour'",
        "Nothing was ever reconciled",
    ),
    ("reconciliation", "delete from reconciliation_run", "Nothing was ever reconciled"),
    ("backup-fresh", "update backup set finished_at = now() - interval '27 hours'", "27 hours old"),
    ("backup-fresh", "update backup set state = 'failed', failure = 'the disk is full'", "There is none"),
    ("backup-proven", "update backup_proof set finished_at = now() - interval '8 days'", "192 hours ago"),
    ("backup-proven", "update backup_proof set state = 'failed', reason = 'wrong key'", "wrong key"),
    ("backup-proven", "delete from backup_proof", "None was ever proven"),
    (
        "processes",
        "update heartbeat set seen_at = now() - interval '1 hour' where process = 'clock'",
        "clock (3600 s",
    ),
    ("processes", "delete from heartbeat where process = 'relay'", "relay (never heard)"),
    (
        "work-in-time",
        "insert into outbox (kind, payload, available_at) values ('sweep', '{}', now() - interval '6 minutes')",
        "1 piece late",
    ),
    ("no-open-alarms", "insert into alarm (what, words) values ('backup.missed', 'No backup')", "No backup"),
    ("no-lockdown", "update lockdown set since = now(), reason = 'restore'", "by half only"),
    ("second-factors", "update users set second_factor_since = null where role = 'finance'", "1 of 3"),
    ("second-factors", FREELY + "update users set suspended_at = now() where role <> 'customer'", "no staff"),
    ("approvers", FREELY + "update users set suspended_at = now() where role = 'owner'", "1 may approve"),
    ("approvers", FREELY + "update users set role = 'finance' where role = 'owner'", "0 of them as owner"),
    (
        "no-demo",
        "update users set email = 'amara@demo.example' where role = 'customer'",
        "amara@demo.example",
    ),
]


@pytest.fixture(scope="module")
def tampered(well_set):
    """The same copy for somebody who may change anything in its database."""
    return well_set.set_otherwise(DATABASE_URL=well_set.environ["DATABASE_OWNER_URL"])


@pytest.mark.parametrize(("name", "fault", "told"), PLANTED)
def test_a_planted_fault_keeps_the_copy_from_going_live(well_set, tampered, name, fault, told):
    found = tampered.find(name, fault)

    assert (found.state, told in found.evidence) == (BLOCKER, True), found.evidence
    assert found.remedy
    assert well_set.find(name).state is OK


PARKED_EVENT = """
    insert into webhook_event (provider, event_id, kind, headers, body, state)
    values ('stripe', 'evt_1', 'charge', '{}', '', 'parked')
"""


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("no-parked-work", "insert into outbox (kind, payload, parked_at) values ('sweep', '{}', now())"),
        ("no-parked-work", PARKED_EVENT),
        ("no-open-alarms", "insert into alarm (what, words, is_critical) values ('late', 'A little', false)"),
        ("approvers", "update users set role = 'admin' where id = (select min(id) from users)"),
    ],
)
def test_a_lesser_fault_is_a_warning(well_set, name, fault):
    found = well_set.find(name, fault)

    assert found.state is WARNING, found.evidence
    assert found.remedy


@pytest.mark.parametrize(
    ("name", "hours"), [("quick-check", 1), ("ledger-proven", 27), ("backup-fresh", 27), ("processes", 1)]
)
def test_what_is_old_is_not_fine(well_set, name, hours):
    assert well_set.find(name, now=lambda: utcnow() + timedelta(hours=hours)).state is BLOCKER


def test_what_waits_for_its_seal_for_too_long_is_told(well_set):
    new = "insert into audit_record (action, object_kind, object_id, role) values ('a.b', 'user', '1', 'system')"
    found = well_set.find("seals-fresh", new, now=lambda: utcnow() + timedelta(minutes=20))

    assert (found.state, "lines wait for their seal" in found.evidence) == (BLOCKER, True), found.evidence


@pytest.mark.parametrize("seconds", [-5, 5])
def test_clocks_that_differ_are_told(well_set, seconds):
    found = well_set.find("clocks", now=lambda: utcnow() + timedelta(seconds=seconds))

    assert found.state is BLOCKER
    assert "seconds apart" in found.evidence


@pytest.mark.parametrize(("free", "state"), [(50, OK), (15, WARNING), (4, BLOCKER), (1, BLOCKER)])
def test_a_full_disk_is_told(well_set, free, state):
    usage = SimpleNamespace(total=100 * GIB, free=free * GIB)

    assert well_set.find("disk", disk_usage=lambda _path: usage).state is state


def test_a_role_that_may_write_the_ledger_is_told(well_set):
    as_owner = well_set.set_otherwise(DATABASE_URL=well_set.environ["DATABASE_OWNER_URL"])
    found = as_owner.find("database-role")

    assert found.state is BLOCKER
    assert "advancia_owner" in found.evidence


@pytest.mark.parametrize(
    ("name", "changes", "state", "told"),
    [
        ("environment", {"ADVANCIA_ENV": "staging"}, WARNING, "staging"),
        ("environment", {"ADVANCIA_ENV": "dev"}, BLOCKER, "/dev/mail"),
        ("live-keys", {"STRIPE_SECRET_KEY": "sk_test_0123456789"}, BLOCKER, "test key"),
        ("live-keys", WITHOUT_CRYPTOMUS, WARNING, "CRYPTOMUS_MERCHANT"),
        ("payout-key", WITHOUT_CRYPTOMUS, OK, "nothing can be paid out"),
        ("live-keys", {"ADVANCIA_ENV": "dev", "STRIPE_SECRET_KEY": None}, BLOCKER, "simulated"),
        ("payout-key", {"CRYPTOMUS_PAYOUT_KEY": None}, WARNING, "CRYPTOMUS_PAYOUT_KEY"),
        ("proxies", {"TRUSTED_PROXIES": "0"}, BLOCKER, "TRUSTED_PROXIES"),
        ("sender", {"MAIL_FROM": "Advancia <no-reply@localhost>"}, BLOCKER, "MAIL_FROM"),
        ("security-contact", {"PUBLIC_URL": None, "ADVANCIA_ENV": "dev", "SECURITY_CONTACT": None}, WARNING, "nowhere"),
        ("backup-settings", {"BACKUP_TARGET": "/srv/backups"}, WARNING, "a folder of this machine"),
        ("backup-settings", {"BACKUP_RECIPIENTS": None}, BLOCKER, "BACKUP_RECIPIENTS"),
    ],
)  # fmt: skip
def test_a_setting_that_is_not_productions_is_told(well_set, name, changes, state, told):
    found = well_set.set_otherwise(**changes).find(name)

    assert (found.state, told in found.evidence) == (state, True), found.evidence


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        ("SECRET_KEY", "short-and-known"),
        ("SEAL_KEYS", None),
        ("FIELD_KEYS", "launch:" + "abab" * 16),
        ("SMTP_URL", None),
        ("PUBLIC_URL", "http://pay.launched.net"),
        ("STRIPE_WEBHOOK_SECRET", None),
        ("REDIS_URL", "http://user:hunter2@cache.internal"),
    ],
)
def test_a_weak_or_missing_setting_is_named_and_its_value_is_not(well_set, name, value):
    environ = {**well_set.environ, name: value or ""}
    found = well_set.find("settings", present={**environ, "ADVANCIA_ENV": "dev"})

    assert (found.state, name in found.evidence, name in found.remedy) == (BLOCKER, True, True)
    assert not value or value not in f"{found.evidence} {found.remedy}"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://pay.launched.net", "not https"),
        ("https://localhost:8000", "this network alone"),
        ("https://10.0.0.7", "this network alone"),
        ("https://pay.internal", "this network alone"),
    ],
)
def test_an_address_that_customers_cannot_open_is_told(well_set, url, told):
    found = well_set.find("public-address", url=url)

    assert (found.state, told in found.evidence) == (BLOCKER, True), found.evidence


def test_another_address_than_the_set_one_is_a_warning(well_set):
    assert well_set.find("public-address", url="https://www.launched.net").state is WARNING


def without(*names):
    """The product's answer, as a proxy passes it on that takes these headers away."""

    def pass_on(answer):
        for name in names:
            del answer.headers[name]
        return answer

    return pass_on


def with_header(name, change):
    def pass_on(answer):
        answer.headers[name] = change(answer.headers[name])
        return answer

    return pass_on


@pytest.mark.parametrize(
    ("served", "told"),
    [
        (without("Content-Security-Policy"), "frame-ancestors"),
        (without("Strict-Transport-Security"), "Strict-Transport-Security"),
        (without("X-Content-Type-Options"), "X-Content-Type-Options"),
        (without("Cross-Origin-Opener-Policy"), "Cross-Origin-Opener-Policy"),
        (with_header("Strict-Transport-Security", lambda _: "max-age=60"), "Strict-Transport-Security"),
        (with_header("Content-Security-Policy", lambda _: "script-src 'nonce-AAAAAAAAAAAAAAAAAAAAAA'"), "a nonce for"),
        (with_header("Content-Security-Policy", lambda p: p + "; style-src 'unsafe-inline'"), "unsafe"),
        (with_header("Content-Security-Policy", lambda p: p.replace("frame-ancestors 'none'", "")), "frame-ancestors"),
    ],
)  # fmt: skip
def test_a_header_that_a_proxy_takes_is_named(well_set, served, told):
    found = well_set.find("security-headers", served={"/login": served})

    assert (found.state, told in found.evidence) == (BLOCKER, True), found.evidence


@pytest.mark.parametrize("word", ["Secure", "HttpOnly", "SameSite=Lax", "__Host-"])
def test_a_cookie_without_its_guards_is_named(well_set, word):
    bare = with_header("Set-Cookie", lambda cookie: cookie.replace(f"; {word}", "").replace(word, ""))
    found = well_set.find("cookies", served={"/login": bare})

    assert found.state is BLOCKER
    assert "session cookie lacks" in found.evidence
    assert word.partition("=")[0] in found.evidence.partition("lacks")[2]


def test_a_cookie_that_does_not_come_leaves_it_open(well_set):
    assert well_set.find("cookies", served={"/login": without("Set-Cookie")}).state is UNKNOWN


@pytest.mark.parametrize(
    ("name", "path", "answer", "state"),
    [
        ("health", "/health", httpx.Response(502, json={}), BLOCKER),
        ("health", "/health", httpx.Response(200, text="Welcome to nginx"), BLOCKER),
        ("api-health", "/api/health", httpx.Response(200, text="Welcome to nginx"), BLOCKER),
        ("api-health", "/api/health", httpx.Response(503, json={"status": "down", "down": ["Cache"]}), BLOCKER),
        ("api-health", "/api/health", httpx.Response(200, json={"status": "degraded", "parts": {}}), WARNING),
        ("error-page", NOWHERE, httpx.Response(404, text="Traceback (most recent call last)"), BLOCKER),
        ("error-page", NOWHERE, httpx.Response(200, text="A parked page"), BLOCKER),
        ("error-page", NOWHERE, httpx.Response(404, headers={"Server": "nginx/1.2"}), WARNING),
        ("mailbox-closed", "/dev/mail", httpx.Response(200, text="All mail"), BLOCKER),
    ],
)  # fmt: skip
def test_a_wrong_answer_from_outside_is_told(well_set, name, path, answer, state):
    found = well_set.find(name, served={path: answer})

    assert found.state is state, found.evidence
    assert found.remedy


@pytest.mark.parametrize(
    ("served", "told"),
    [
        ({"http:/login": httpx.Response(200, text="Sign in")}, "answered 200"),
        (
            {"http:/login": httpx.Response(301, headers={"Location": "http://pay.launched.net/x"})},
            "answered 301",
        ),
        (
            {"http:/login": httpx.Response(301, headers={"Location": "https://pay.example/login"})},
            "answered 301",
        ),
        ({"/login": without("Strict-Transport-Security")}, "HSTS"),
    ],
)
def test_a_way_in_without_tls_is_told(well_set, served, told):
    found = well_set.find("http-to-https", served=served)

    assert (found.state, told in found.evidence) == (BLOCKER, True), found.evidence


def test_that_nobody_answers_without_tls_is_a_warning(well_set):
    class Secure(Inside):
        def handle_request(self, request):
            if request.url.scheme == "http":
                raise httpx.ConnectError("Refused.", request=request)
            return super().handle_request(request)

    found = well_set.find("http-to-https", transport=Secure(well_set.app, {}, "9.9.9.9"))

    assert (found.state, "ConnectError" in found.evidence) == (WARNING, True), found.evidence


@pytest.mark.parametrize(
    ("path", "answer", "state", "told"),
    [
        (WHOSE, httpx.Response(400, text="This is not an address of ours."), BLOCKER, "answered 400"),
        (WHOSE, httpx.Response(200, text="Welcome to nginx"), BLOCKER, "answered 200"),
        (
            WHOSE,
            httpx.Response(200, text="Canonical: https://pay.example/x"),
            BLOCKER,
            "https://pay.example/x",
        ),
        ("/login", httpx.Response(200, text="Sign in"), WARNING, NOBODY),
    ],
)
def test_a_name_that_is_not_the_products_is_told(well_set, path, answer, state, told):
    found = well_set.find("own-name", served={path: answer})

    assert (found.state, told in found.evidence) == (state, True), found.evidence
    assert found.remedy


class Unreached(httpx.BaseTransport):
    def handle_request(self, request):
        raise httpx.ConnectError("Nobody is there.", request=request)


def test_a_product_that_does_not_answer_is_a_blocker_and_not_an_error(well_set):
    found = well_set.find("health", transport=Unreached())

    assert found.state is BLOCKER
    assert found.evidence == f"{PUBLIC_URL} could not be asked: ConnectError."


def test_limits_that_do_not_bite_are_told(well_set):
    as_if_wrong = httpx.Response(422, text="Wrong")
    found = well_set.find(
        "rate-limits", served={"/login": lambda a: as_if_wrong if a.status_code == 429 else a}
    )

    assert (found.state, "422 (10 times)" in found.evidence) == (BLOCKER, True), found.evidence


def test_the_tries_of_a_check_are_given_back_and_told_where_they_came_from(well_set):
    evidence = [well_set.find("rate-limits").evidence for _ in range(2)]

    assert all("422 (5 times), then 429 (5 times)" in each and "9.9.9.9" in each for each in evidence)


def test_tries_that_are_counted_for_a_proxy_are_a_warning(well_set):
    behind_two = well_set.set_otherwise(TRUSTED_PROXIES="2")
    found = behind_two.find("rate-limits", seen_from="9.9.9.9, 10.0.0.3, 10.0.0.2")

    assert (found.state, "10.0.0.3" in found.evidence) == (WARNING, True), found.evidence
    assert "TRUSTED_PROXIES" in found.remedy


def test_a_check_that_breaks_is_unknown_and_says_so(well_set):
    found = well_set.find("disk", disk_usage=lambda _path: 1 / 0)

    assert (found.state, found.evidence) == (UNKNOWN, "The check itself failed: ZeroDivisionError.")


def test_every_check_has_its_fault_planted_somewhere_here():
    written = "".join(each.read_text() for each in Path(__file__).parent.glob("test_*.py"))

    for each in checks():
        assert f'"{each.name}"' in written or each.look_at.__name__ in written, each.name


def test_every_check_has_words_a_weight_and_a_name_of_its_own():
    there = checks()

    assert len({each.name for each in there}) == len({each.words for each in there}) == len(there)
    assert {each.weight for each in there} == set(Weight)
