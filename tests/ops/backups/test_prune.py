"""What is old enough goes; what might still be needed stays."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from advancia import audit
from advancia.core.clock import utcnow
from advancia.core.db import db, unit_of_work
from advancia.ops.backups import prune, queries, running
from advancia.ops.backups.models import Backup, BackupProof, State


@pytest.fixture
def old(product):
    """Backups of so many days ago, with their parts; gives their names, the oldest first."""

    def make(*days: int, **more: object) -> list[str]:
        folder = Path(product.extensions["settings"].backups.target)
        folder.mkdir(exist_ok=True)
        with unit_of_work() as session:
            made = [_backup(utcnow() - timedelta(days=each), str(folder), **more) for each in days]
            session.add_all(made)
            names = [each.name for each in made]
        for name in names:
            for part in (f"{name}.dump.age", f"{name}.manifest.json"):
                (folder / part).write_text("stored")
        return names

    return make


def _backup(begun, target, **more):
    done = {"stored_bytes": 6, "sha256": "00" * 32, "manifest": {"format": 1}, "finished_at": begun}
    values = {"state": State.DONE, "why": "daily"} | done | more
    return Backup(name=running.new_name(begun), begun_at=begun, target=target, **values)


def prove(name, days_ago=0, state="passed"):
    with unit_of_work() as session:
        finished = None if state == "running" else utcnow() - timedelta(days=days_ago)
        proof = BackupProof(backup_id=queries.by_name(session, name).id, state=state, finished_at=finished)
        proof.reason = "For a test." if state == "failed" else None
        session.add(proof)


def pruned(product, **how):
    return prune.prune(product.extensions["settings"], **how).names


def test_those_older_than_30_days_go_with_their_parts_and_leave_their_rows(product, old):
    gone = old(50, 40, 31)
    kept = old(*range(29, 9, -1))
    folder = Path(product.extensions["settings"].backups.target)

    assert sorted(pruned(product)) == sorted(gone)
    assert {path.name.partition(".")[0] for path in folder.iterdir()} == set(kept)
    rows = db.session.scalars(select(Backup).where(Backup.name.in_(gone))).all()
    assert {each.state for each in rows} == {State.PRUNED}
    assert all(each.pruned_at for each in rows)
    (line,) = audit.records_of(db.session(), kind="backup", id=rows[0].id, limit=5)
    assert (line.action, line.after["name"]) == ("backup.pruned", rows[0].name)


def test_the_newest_14_stay_however_old_they_are(product, old):
    names = old(*range(60, 44, -1))

    assert sorted(pruned(product)) == sorted(names[:2])


def test_the_one_that_was_proven_last_stays(product, old):
    names = old(*range(100, 80, -1))
    prove(names[0], days_ago=10)
    prove(names[1], days_ago=3)
    prove(names[2], days_ago=1, state="failed")

    gone = pruned(product)

    assert names[1] not in gone
    assert {names[0], names[2]} <= set(gone)


def test_one_that_is_being_proven_stays(product, old):
    names = old(*range(100, 80, -1))
    prove(names[0], state="running")

    assert names[0] not in pruned(product)


def test_those_that_failed_count_for_nothing(product, old):
    names = old(*range(100, 86, -1))
    failed = {
        "state": State.FAILED,
        "failure": "For a test.",
        "stored_bytes": None,
        "sha256": None,
        "manifest": None,
    }
    old(*range(20, 0, -1), **failed)

    assert pruned(product) == []
    assert len(names) == 14


def test_a_dry_run_takes_nothing_away(product, old):
    names = old(*range(60, 40, -1))
    folder = Path(product.extensions["settings"].backups.target)

    told = pruned(product, dry_run=True)

    assert sorted(told) == sorted(names[:6])
    assert len(list(folder.iterdir())) == 40
    assert len(queries.done(db.session())) == 20


def test_each_goes_from_where_it_lies(product, old, tmp_path):
    names = old(*range(60, 40, -1))
    elsewhere = tmp_path / "before"
    elsewhere.mkdir()
    with unit_of_work() as session:
        queries.by_name(session, names[0]).target = str(elsewhere)
    (elsewhere / f"{names[0]}.dump.age").write_text("stored")

    pruned(product)

    assert list(elsewhere.iterdir()) == []
