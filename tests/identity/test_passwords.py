"""Which passwords will do, what is said of the others, and that hashing them leaves room for everybody else."""

from __future__ import annotations

import gzip
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from advancia.core.db import db, unit_of_work
from advancia.core.errors import Busy
from advancia.identity import blocklist, queries
from advancia.identity.errors import FactorGone
from advancia.identity.recovery import credentials
from advancia.identity.services import password_rules, passwords
from advancia.identity.services.hashing_turns import NICENESS, HashingTurns
from tests.support.pages import InProcess, Page
from tests.support.servers import eventually

AMARA = {"name": "Amara Okafor", "email": "a.okafor@lagos-traders.example", "handle": "amara_okafor"}


@pytest.mark.parametrize(
    "good",
    [
        "four clear words here",
        "x9!kq2v8m3z7w5r1",
        "7295031846203957",
        "Пять слов подряд легко",
        "今日はとても良い天気ですね散歩",
        "with  spaces\tand more ",
        "amara likes a walk by the lagoon",
        "password managers make these: kT9#",
    ],
)
def test_long_enough_and_nobody_elses_is_good_enough_whatever_it_is_made_of(good):
    assert passwords.weakness(good, **AMARA) is None


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("fourteen chars", "Use at least 15 characters. A few words in a row are easy to remember."),
        ("aaaaaaaaaaaaaaaaaaaa", password_rules.REPEATED),
        ("abcxyabcxyabcxyabcxy", password_rules.REPEATED),
        ("123456789012345", password_rules.A_RUN),
        ("abcdefghijklmnopq", password_rules.A_RUN),
        ("qwertyuiopasdfghjkl", password_rules.A_RUN),
        ("fdsa rewq vcxz 4321", password_rules.A_RUN),
        ("Manchester United", password_rules.COMMON),
        ("1qaz2wsx3edc4rfv", password_rules.COMMON),
        ("correct horse battery staple", password_rules.COMMON),
        ("To be, or not to be", password_rules.COMMON),
        ("Password123456789", password_rules.NEARLY_COMMON),
        ("P@$$w0rd P@$$w0rd", password_rules.NEARLY_COMMON),
        ("!!!2024sunshine2024!!!", password_rules.NEARLY_COMMON),
        ("princessprincess1", password_rules.NEARLY_COMMON),
        ("Amara Okafor 1234", password_rules.OWN),
        ("okafor-amara-1990", password_rules.OWN),
        ("@amara_okafor 2026", password_rules.OWN),
        ("a.okafor@lagos-traders.example", password_rules.OWN),
        ("lagos-traders 2026", password_rules.OWN),
        ("amara okafor password", password_rules.OWN),
        ("Advancia-Advancia!", password_rules.PRODUCTS),
        ("advancia password 1", password_rules.PRODUCTS),
        ("amara@advancia 2026", password_rules.OWN),
    ],
)
def test_each_refusal_says_its_own_reason(bad, reason):
    assert passwords.weakness(bad, **AMARA) == reason


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("kq2v8x9", "Use at least 8 characters. A few words in a row are easy to remember."),
        ("kq2v8x9!", None),
        ("password", password_rules.COMMON),
        ("Sunshine!", password_rules.COMMON),
        ("amara123", password_rules.OWN),
    ],
)
def test_beside_a_second_factor_eight_characters_are_enough(password, reason):
    assert passwords.weakness(password, **AMARA, second_factor=True) == reason


def wide(text):
    """The same as a keyboard for Japanese types it."""
    return "".join(chr(ord(char) + 0xFEE0) if char > " " else char for char in text)


def test_characters_are_counted_after_they_are_brought_to_normal_form():
    decomposed = "e\u0301" * 10 + "xyz"

    assert len(decomposed) == 23
    assert "at least 15" in passwords.weakness(decomposed, **AMARA)
    assert passwords.weakness(wide("four clear words here"), **AMARA) is None
    assert passwords.weakness(wide("Password123456789"), **AMARA) == password_rules.NEARLY_COMMON


def test_256_characters_are_accepted_and_more_are_refused_also_when_they_are_a_million():
    many = "".join(chr(0x4E00 + number) for number in range(256))

    assert passwords.weakness(many, **AMARA) is None
    assert passwords.weakness(many + "x", **AMARA) == password_rules.TOO_LONG
    assert passwords.weakness("\u0301\u0323" * 500_000, **AMARA) is not None
    assert passwords.weakness(many + "\u0301" * 1_000_000, **AMARA) == password_rules.TOO_LONG


def test_all_of_a_long_password_counts():
    long = "".join(chr(0x4E00 + number) for number in range(255))
    stored = passwords.hashed(long + "a")

    assert passwords.matches(stored, long + "a")
    assert not passwords.matches(stored, long + "b")
    assert not passwords.matches(stored, long + "aa")
    assert not passwords.matches(stored, "x" * 1_000_000)


def test_the_list_is_sorted_folded_and_of_the_size_that_its_source_names():
    lines = gzip.decompress((blocklist.FOLDER / "common.txt.gz").read_bytes()).decode().splitlines()
    own = (blocklist.FOLDER / "well_known.txt").read_text(encoding="utf-8").splitlines()

    assert f"{len(lines):,}".replace(",", " ") in (blocklist.FOLDER / "SOURCE.md").read_text(encoding="utf-8")
    for words in (lines, own):
        assert words == sorted(set(words))
        assert all(word == password_rules.normal(word).casefold() for word in words)
    assert all(word.isalnum() for word in own)
    assert {"password", "12345678", "qwertyuiop", "iloveyou", "trustno1"} <= set(lines)


def test_the_list_costs_little():
    assert len(blocklist._lines()) < 400_000
    assert not blocklist.is_common("no such line")
    assert not blocklist.is_common("password\n12345678")


def test_a_hash_of_other_parameters_is_outdated_and_still_opens():
    old = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash("a long password for tests")

    assert passwords.is_outdated(old)
    assert passwords.matches(old, "a long password for tests")
    assert not passwords.is_outdated(passwords.hashed("a long password for tests"))


def test_hashing_takes_no_more_than_its_turns_and_sends_the_rest_away_at_once():
    turns = HashingTurns(at_once=1, waiting=2)
    gate, at_work, most = threading.Event(), [], []

    def work():
        at_work.append(1)
        most.append(len(at_work))
        gate.wait(10)
        at_work.pop()
        return "done"

    with ThreadPoolExecutor(3) as pool:
        first = [pool.submit(turns.take, work) for _ in range(3)]
        eventually(lambda: turns._places._value == 0, "all places are taken", within=5)
        with pytest.raises(Busy):
            turns.take(work)
        gate.set()
        assert [each.result() for each in first] == ["done"] * 3

    assert max(most) == 1
    assert turns.take(lambda: "again") == "again"


def test_whoever_waits_too_long_is_sent_away_and_leaves_no_place_taken(monkeypatch):
    monkeypatch.setattr("advancia.identity.services.hashing_turns.PATIENCE_SECONDS", 0.05)
    turns = HashingTurns(at_once=1, waiting=1)
    gate, begun = threading.Event(), []
    with pytest.raises(Busy):
        turns.take(lambda: gate.wait(10))  # given up, but still at work
    with pytest.raises(Busy):
        turns.take(lambda: begun.append(1))
    gate.set()
    eventually(lambda: turns._places._value == 2, "both places are free again", within=5)
    monkeypatch.undo()

    assert turns.take(lambda: "again") == "again"
    assert begun == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities by thread")
def test_hashing_yields_to_the_pages_and_they_to_nobody():
    def niceness():
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = niceness()
    assert HashingTurns(at_once=1, waiting=0).take(niceness) == NICENESS > before
    assert niceness() == before


def test_what_goes_wrong_at_work_is_raised_and_frees_the_place():
    turns = HashingTurns(at_once=1, waiting=0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            turns.take(lambda: 1 // 0)
        eventually(lambda: turns._places._value == 1, "the place is free again", within=5)


@pytest.mark.parametrize(("threads", "processes"), [(8, 2), (8, 1), (4, 2), (2, 2), (1, 1), (64, 4)])
def test_threads_are_left_for_the_pages(threads, processes):
    turns = HashingTurns.among(threads=threads, processes=processes)

    assert turns.at_once >= 1
    assert turns._places._initial_value <= max(1, threads - max(1, threads // 4))


def test_a_page_that_would_have_to_wait_too_long_says_so_and_when_to_come_back(page, monkeypatch):
    full = HashingTurns(at_once=1, waiting=0)
    full._places.acquire()
    monkeypatch.setattr(passwords, "_turns", [full])
    answer = page.submit(
        "/signup", email="busy@test.example", name="Busy", password="four clear words here", terms="y"
    )

    assert answer.status == 503
    assert answer.headers["Retry-After"] == "5"
    assert "Wait a few seconds" in answer.text


def stored_hash(app, person):
    with app.app_context():
        return db.session.scalar(text("SELECT password_hash FROM users WHERE id = :id"), {"id": person.id})


def store(app, person, password_hash):
    with app.app_context(), unit_of_work() as session:
        session.execute(
            text("UPDATE users SET password_hash = :hash WHERE id = :id"),
            {"id": person.id, "hash": password_hash},
        )


def test_signing_in_renews_a_hash_of_other_parameters_and_ends_no_session(app, page, page_of, customer):
    amara = customer("Amara Okafor")
    elsewhere = page_of(amara)
    store(app, amara, PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(amara.password))
    assert page.submit("/login", email=amara.email, password=amara.password).location == "/wallet"

    renewed = stored_hash(app, amara)
    assert renewed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert elsewhere.get("/wallet").status == 200
    page.transport.client.delete_cookie("session")
    assert page.submit("/login", email=amara.email, password=amara.password).location == "/wallet"
    assert stored_hash(app, amara) == renewed


def test_a_wrong_password_renews_nothing(app, page, customer):
    amara = customer("Amara Okafor")
    old = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(amara.password)
    store(app, amara, old)
    page.submit("/login", email=amara.email, password="not it at all")

    assert stored_hash(app, amara) == old


def test_renewing_a_hash_does_not_bring_a_changed_password_back(app, customer):
    amara = customer("Amara Okafor")
    old, changed = stored_hash(app, amara), passwords.hashed("another long password of mine")
    store(app, amara, changed)
    with app.app_context(), unit_of_work() as session:
        credentials.renew_hash(
            session, user_id=amara.id, old_hash=old, new_hash="the old password, hashed anew"
        )

    assert stored_hash(app, amara) == changed


def test_a_password_that_was_changed_while_it_was_looked_at_opens_no_session(app, customer):
    amara = customer("Amara Okafor")
    with app.app_context():
        known = queries.credentials_of(db.session(), amara.email)
        db.session.rollback()
        with unit_of_work() as session:
            credentials.refuse_if_changed(session, user_id=amara.id, since=known.password_since)
        with unit_of_work() as session:
            credentials.set_password(
                session, user_id=amara.id, password_hash=known.password_hash, stands_alone=True
            )
        with pytest.raises(credentials.PasswordChanged), unit_of_work() as session:
            credentials.refuse_if_changed(session, user_id=amara.id, since=known.password_since)


def test_sign_ins_that_race_a_change_of_the_password_leave_no_session_of_the_old_one(app, page_of, customer):
    amara = customer("Amara Okafor")
    owner = page_of(amara)
    strangers = [Page(InProcess(app)) for _ in range(3)]
    for page in strangers:
        page.get("/login")
    owner.get("/settings/password")
    new = {"current": amara.password, "password": "another long password of mine"}
    old = {"email": amara.email, "password": amara.password}

    with ThreadPoolExecutor(4) as pool:
        racing = [pool.submit(page.post, "/login", old) for page in strangers]
        changed = pool.submit(owner.post, "/settings/password", new)
        [each.result() for each in racing]

    assert changed.result().status == 303
    assert [page.get("/wallet").status for page in strangers] == [303, 303, 303]
    assert owner.get("/wallet").status == 200


def test_a_short_password_is_never_left_without_its_second_factor(app, customer):
    amara = customer("Amara Okafor")
    short = {"user_id": amara.id, "password_hash": stored_hash(app, amara), "stands_alone": False}
    with app.app_context():
        with pytest.raises(FactorGone), unit_of_work() as session:
            credentials.set_password(session, **short)
        with unit_of_work() as session:
            session.execute(
                text("UPDATE users SET second_factor_since = now() WHERE id = :id"), {"id": amara.id}
            )
            credentials.set_password(session, **short)
        with pytest.raises(IntegrityError), unit_of_work() as session:
            session.execute(
                text("UPDATE users SET second_factor_since = NULL WHERE id = :id"), {"id": amara.id}
            )
