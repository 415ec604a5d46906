"""Seals: one chain over everything that is final, signed with a key that the database does not have."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from datetime import timedelta
from threading import Event

import pytest
from sqlalchemy import func, select

from advancia import audit, ledger
from advancia.app import create_app
from advancia.config import load_settings
from advancia.core import alarms, outbox
from advancia.core.context import Actor
from advancia.core.db import db, unit_of_work
from advancia.core.jobs import Job
from advancia.core.money import Money
from advancia.core.outbox import OutboxRow
from advancia.ledger import check, sealed, seals
from advancia.ledger.horizon import HeldBack
from tests.conftest import SEAL_SECRET
from tests.ledger.conftest import Bank, race
from worker import tasks

OLD = ("old", b"o" * 32)
NEW = ("new", b"n" * 32)


def usd(text: str) -> Money:
    return Money.of(text, "USD")


def seal(scratch, *keys: tuple[str, bytes], **words) -> list[seals.Seal]:
    with scratch.session() as session:
        return list(seals.seal(session, keys or (OLD,), **words))


def found(scratch, *keys: tuple[str, bytes]) -> list[str]:
    with scratch.session() as session:
        report = check.run(session, keys=keys or (OLD,))
    return [each.told for each in report.differences]


def record(scratch) -> None:
    with scratch.session() as session:
        audit.record(session, Actor(1, "admin", None, None), action="test", kind="test", id=1)
        session.commit()


def pay_in(scratch, times: int = 3) -> None:
    bank = Bank(scratch.engine)
    for _ in range(times):
        bank.pay_in(1, usd("1.00"))


def test_nothing_is_sealed_where_there_is_nothing(scratch):
    assert seal(scratch) == []


def test_a_seal_covers_everything_up_to_the_horizon_and_the_next_begins_there(scratch):
    pay_in(scratch)
    record(scratch)
    (first,) = seal(scratch)
    assert (first.id, first.txns, first.entries, first.accounts, first.audits) == (1, 3, 6, 2, 1)
    assert (first.upto_txn, first.upto_audit, first.previous) == (3, 1, b"")
    assert seal(scratch) == []

    pay_in(scratch, 1)
    (second,) = seal(scratch)
    assert (second.id, second.txns, second.accounts, second.previous) == (2, 1, 0, first.head)
    assert found(scratch) == []


def test_the_signature_is_an_hmac_of_the_head_that_anybody_with_the_key_can_compute(scratch):
    pay_in(scratch)
    (made,) = seal(scratch)
    assert made.signature == hmac.new(OLD[1], b"seal" + made.head, hashlib.sha256).digest()
    assert made.head == made.head_of_fields()
    assert all(made.head != replace(made, **{name: value}).head_of_fields() for name, value in {
        "id": 2, "upto_txn": 4, "txns": 4, "digest": b"", "leaves": b"", "previous": b"x", "key_id": "x",
        "sealed_at": made.sealed_at + timedelta(microseconds=1),
    }.items())  # fmt: skip


def test_a_long_pause_is_caught_up_in_bounded_blocks(scratch):
    pay_in(scratch, 10)
    made = seal(scratch, block=4)
    assert [each.upto_txn for each in made] == [4, 8, 10]
    assert found(scratch) == []


def test_a_posting_under_way_is_sealed_by_a_later_seal_and_never_left_out(scratch):
    pay_in(scratch, 1)
    with scratch.session() as poster:
        postings = [ledger.Posting(ledger.clearing("sandbox"), ledger.available(2), usd("1.00"))]
        ledger.post(poster, reference="slow", kind="test", postings=postings)
        pay_in(scratch, 1)
        with pytest.raises(HeldBack):
            seal(scratch, patience=timedelta(milliseconds=200))
        poster.commit()
    assert [each.txns for each in seal(scratch)] == [3]
    assert found(scratch) == []


def test_ids_that_were_drawn_and_never_used_leave_no_hole(scratch):
    pay_in(scratch, 1)
    with scratch.session() as poster:
        postings = [ledger.Posting(ledger.clearing("sandbox"), ledger.available(2), usd("1.00"))]
        ledger.post(poster, reference="undone", kind="test", postings=postings)
    pay_in(scratch, 1)
    (made,) = seal(scratch)
    assert (made.txns, made.upto_txn) == (2, 3)
    assert found(scratch) == []


def test_sealers_at_once_make_one_chain_while_others_post(scratch):
    pay_in(scratch, 2)
    done = Event()

    def post() -> None:
        pay_in(scratch, 20)

    def keep_sealing() -> int:
        count = 0
        while not done.is_set():
            count += len(seal(scratch, block=3))
        return count

    def post_all() -> list[object]:
        try:
            return race([post] * 5)
        finally:
            done.set()

    *counts, posted = race([keep_sealing] * 4 + [post_all])
    assert posted == [None] * 5
    made = sum(counts) + len(seal(scratch))
    with scratch.session() as session:
        chain = list(seals.seals(session))
        report = check.run(session, keys=[OLD])
    assert [each.id for each in chain] == list(range(1, made + 1))
    assert sum(each.txns for each in chain) == 102
    assert (report.verdict, report.unsealed) == ("proven", 0)


@pytest.mark.parametrize("dies_at", ["block_of", "_signature", "_values"])
def test_a_sealer_that_dies_anywhere_is_continued_by_the_next(scratch, monkeypatch, dies_at):
    pay_in(scratch, 6)

    def die(*_args, **_words):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(seals, dies_at, die)
        with pytest.raises(KeyboardInterrupt):
            seal(scratch, block=2)
    with scratch.session() as session:
        for _first in seals.seal(session, [OLD], block=2):
            break  # died after the first seal was committed
    assert [each.id for each in seal(scratch, block=2)] == [2, 3]
    assert found(scratch) == []


def test_a_new_key_signs_from_now_on_and_the_old_one_still_verifies(scratch):
    pay_in(scratch, 1)
    seal(scratch, OLD)
    pay_in(scratch, 1)
    assert [each.key_id for each in seal(scratch, NEW, OLD)] == ["new"]
    assert found(scratch, NEW, OLD) == []
    assert found(scratch, NEW) == ["seal 1 is signed with the key old, which SEAL_KEYS does not hold"]


def test_without_a_key_nothing_is_sealed(scratch):
    pay_in(scratch, 1)
    with scratch.session() as session, pytest.raises(seals.NoSealKey):
        list(seals.seal(session, []))


def test_a_seal_forged_without_the_key_is_found(scratch):
    """Somebody with the database rewrites a transaction, and hashes and chains all anew, but cannot sign."""
    pay_in(scratch)
    seal(scratch)
    scratch.tamper("update ledger.txn set created_at = '2001-01-01' where id = 2")
    true = sealed_of(scratch, 1)
    with scratch.session() as session:
        anew = seals.block_of(session.connection(), 1, after=(0, 0), upto=(3, 0))
    forged = replace(true, digest=anew.digest, leaves=anew.leaves)
    forge(scratch, replace(forged, head=forged.head_of_fields()))
    assert found(scratch) == ["seal 1 has a signature that is not that of its key"]
    forged = replace(forged, key_id="mine")
    forged = replace(forged, head=forged.head_of_fields())
    forge(scratch, replace(forged, signature=hmac.new(b"mine", b"seal" + forged.head, "sha256").digest()))
    assert found(scratch) == ["seal 1 is signed with the key mine, which SEAL_KEYS does not hold"]


def test_nothing_is_chained_to_a_seal_that_is_not_ours(scratch):
    pay_in(scratch, 1)
    seal(scratch)
    pay_in(scratch, 1)
    forge(scratch, replace(sealed_of(scratch, 1), signature=b"x"))
    with pytest.raises(seals.BrokenChain, match="not that of its key"):
        seal(scratch)
    with pytest.raises(seals.BrokenChain, match="does not hold"):
        seal(scratch, NEW)


def test_whoever_has_the_apps_role_cannot_seal_what_is_still_to_come(scratch):
    pay_in(scratch, 1)
    ahead = replace(seal(scratch)[0], id=2, upto_txn=10**6, previous=sealed_of(scratch, 1).head)
    with scratch.session() as session:
        assert session.scalar(seals.ADD, seals._values(ahead)) is False


def test_a_history_rewritten_with_the_key_is_told_from_the_one_whose_head_was_noted(scratch):
    pay_in(scratch)
    (noted,) = seal(scratch)
    scratch.tamper("update ledger.txn set created_at = '2001-01-01' where id = 2")
    scratch.tamper("delete from ledger.seal")
    seal(scratch)
    assert found(scratch) == []
    with scratch.session() as session:
        report = check.run(session, keys=[OLD], heads={1: noted.head.hex()})
    assert [each.told for each in report.differences] == ["seal 1 is not the one that was noted"]


def test_a_chain_that_was_cut_short_is_told_from_the_one_whose_head_was_noted(scratch):
    pay_in(scratch, 1)
    seal(scratch)
    pay_in(scratch, 1)
    (noted,) = seal(scratch)
    scratch.tamper("delete from ledger.seal where id = 2")
    assert found(scratch) == []
    with scratch.session() as session:
        _, _, wrong = sealed.chain(session, dict([OLD]), heads={2: noted.head.hex()})
    assert [each.told for each in wrong] == ["seal 2 was noted, and there is none"]


def test_what_is_not_sealed_yet_is_seen(scratch):
    with scratch.session() as session:
        assert seals.seal_lag(session) == seals.SealLag(0, 0, None)
    pay_in(scratch, 2)
    record(scratch)
    with scratch.session() as session:
        lag = seals.seal_lag(session)
    assert (lag.transactions, lag.lines) == (2, 1)
    assert lag.since is not None
    seal(scratch)
    with scratch.session() as session:
        assert seals.seal_lag(session) == seals.SealLag(0, 0, None)


def test_the_job_seals_with_the_key_of_the_settings_and_says_the_heads(scratch, capsys):
    pay_in(scratch, 2)
    app = create_app(load_settings(scratch.environ | {"LOG_LEVEL": "INFO"}))
    work_off_job(app, Job.SEAL_LEDGER)
    with scratch.session() as session:
        (made,) = seals.seals(session)
    assert seals.is_signed(made, {"test": bytes.fromhex(SEAL_SECRET)})
    assert made.chained in capsys.readouterr().err
    assert outcome_of(scratch) == "1 seal made."


def test_a_broken_chain_sounds_an_alarm_until_it_is_mended(scratch):
    pay_in(scratch, 1)
    app = create_app(load_settings(scratch.environ))
    work_off_job(app, Job.SEAL_LEDGER)
    right = sealed_of(scratch, 1)
    forge(scratch, replace(right, signature=bytes(32)))
    pay_in(scratch, 1)
    work_off_job(app, Job.SEAL_LEDGER)
    with scratch.session() as session:
        (alarm,) = alarms.open_alarms(session)
    assert (alarm.what, alarm.words) == ("ledger.seal", outcome_of(scratch))
    forge(scratch, right)
    work_off_job(app, Job.SEAL_LEDGER)
    with scratch.session() as session:
        assert alarms.open_alarms(session) == []


def work_off_job(app, job: Job) -> None:
    """Have the job run as the worker runs it."""
    with app.app_context():
        with unit_of_work() as session:
            outbox.put(session, job)
            row = session.scalars(select(func.max(OutboxRow.id)).where(OutboxRow.kind == job.value)).one()
        tasks.perform(row)
        db.engine.dispose()


def outcome_of(scratch) -> str | None:
    with scratch.session() as session:
        return session.scalar(
            select(OutboxRow.outcome)
            .where(OutboxRow.kind == Job.SEAL_LEDGER.value)
            .order_by(OutboxRow.id.desc())
            .limit(1)
        )


def sealed_of(scratch, number: int) -> seals.Seal:
    with scratch.session() as session:
        made = seals.seal_of(session, number)
    assert made is not None
    return made


def forge(scratch, forged: seals.Seal) -> None:
    with scratch.owner() as owner:
        owner.execute("alter table ledger.seal disable trigger user")
        owner.execute(
            "update ledger.seal set digest = %s, leaves = %s, head = %s, signature = %s, key_id = %s where id = %s",
            (forged.digest, forged.leaves, forged.head, forged.signature, forged.key_id, forged.id),
        )
