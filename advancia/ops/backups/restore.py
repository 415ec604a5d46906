"""Restoring for real: everything in the running product's database is replaced by a backup.

Money is paused before and moves again only after the books have proven. The customers' way back is the safety backup,
which is made once nothing is written any more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import psycopg
from flask_migrate import upgrade
from psycopg.conninfo import conninfo_to_dict

from advancia import audit
from advancia.config import Settings
from advancia.core import lockdown as row
from advancia.core import log
from advancia.core.clock import utcnow
from advancia.core.db import db, unit_of_work
from advancia.core.encryption import Keyring, Undecryptable
from advancia.core.lockdown import LOOK_AGAIN_SECONDS
from advancia.core.locks import Lock
from advancia.ledger import check
from advancia.ops import lockdown
from advancia.ops.backups import ending, proof, replacing, subjects
from advancia.ops.backups import manifest as manifests
from advancia.ops.backups.create import create_backup
from advancia.ops.backups.errors import BackupTrouble, WrongKey
from advancia.ops.backups.facts import facts_of
from advancia.ops.backups.keys import Identity
from advancia.ops.backups.manifest import Manifest
from advancia.ops.backups.models import Why
from advancia.ops.backups.proof_steps import opened_fields, scripts, told_of_books
from advancia.ops.backups.stores import store_of
from advancia.ops.backups.trial import Subject

PROVEN_ENOUGH = timedelta(days=1)
LONGEST_WRITING = 30.0  # seconds; who still writes then is broken off, and loses what was not committed
# Who is in the middle of something: transactions that are open, and jobs at work, which may be talking to somebody
# between two of them. A job that its worker has not spoken for lately is none.
WRITERS = """
    select (select count(*) from pg_stat_activity
            where datname = current_database() and usename = current_user and pid <> pg_backend_pid()
              and state <> 'idle' and application_name not like 'backup%')
         + (select count(*) from outbox
            where handed_at > now() - interval '30 seconds' and done_at is null and parked_at is null)
"""

Say = Callable[[str], None]

_log = log.logger(__name__)


class NotRestored(BackupTrouble):
    """Nothing was replaced: everything is as it was."""


class NotRight(BackupTrouble):
    """It was replaced, and what is there now does not prove, or nobody can tell whether it was; money stays paused."""


@dataclass(frozen=True)
class Restored:
    """What was done: from which backup, and which one leads back."""

    backup: str
    safety: str
    entries: int
    seconds: float


def database_name(settings: Settings) -> str:
    """What has to be typed before everything in it is replaced."""
    return str(conninfo_to_dict(settings.database_url).get("dbname", ""))


def restore(
    settings: Settings, keyring: Keyring, *, name: str, identities: list[Identity] | None, say: Say
) -> Restored:
    """Replace everything in the database by that backup, and prove it. Needs an app context, and no unit of work.

    Raises `BackupTrouble` with what is so now: after all but `NotRight`, nothing is replaced and money moves as before.
    """
    if settings.database_owner_url is None:
        raise NotRestored("Set DATABASE_OWNER_URL: only the owner of the database can replace what is in it.")
    begun = time.monotonic()
    with unit_of_work() as session:
        subject = subjects.find(session, settings, name=name)
    found = identities or _kept(keyring, subject)
    with _alone(settings.database_owner_url):
        _insist_on_proof(settings, keyring, subject, found, say)
        with _closed(settings, subject.name, say):
            safety = _saved(settings, keyring, say)
            manifest = _replaced(settings, subject, found, safety, say)
            try:
                replacing.send_others_away(settings.database_url)
                entries = _checked(settings, keyring, manifest, say)
            except (
                BaseException
            ) as trouble:  # even when it is broken off: nobody knows yet whether it is right
                raise _not_right(safety, trouble) from trouble
    with unit_of_work() as session:
        told = {"backup": subject.name, "safety": safety}
        audit.record_of_system(session, action="backup.restored", kind="backup", id=subject.name, after=told)
    return Restored(subject.name, safety, entries, time.monotonic() - begun)


def _kept(keyring: Keyring, subject: Subject) -> list[Identity]:
    """The key that is kept for the newest backup. Raises `WrongKey`."""
    try:
        found = subjects.kept_identity(db.session(), keyring, subject)
    except Undecryptable as trouble:
        raise WrongKey(f"The server cannot open {subject.name}. {trouble}") from None
    db.session.rollback()
    if not found:
        raise WrongKey(f"The server cannot open {subject.name}: give the owner's key with --identity-file.")
    return found


def _insist_on_proof(
    settings: Settings, keyring: Keyring, subject: Subject, identities: list[Identity], say: Say
) -> None:
    last = proof.latest_passed(db.session(), backup=subject.name)
    db.session.rollback()
    if last is not None and last.finished_at is not None and utcnow() - last.finished_at < PROVEN_ENOUGH:
        say(f"{subject.name} was proven {last.finished_at:%d %B, %H:%M} UTC.")
        return
    say(f"Proving {subject.name} first.")
    found = proof.prove(settings, keyring, name=subject.name, identities=identities)
    if not found.passed:
        raise NotRestored(f"The backup is not proven, so nothing was replaced. {found.reason}")


@contextmanager
def _closed(settings: Settings, name: str, say: Say) -> Iterator[None]:
    """Everything is closed for the duration, and opened again unless what is there now is not right."""
    before = row.state(db.session())
    db.session.rollback()
    say("Pausing money and closing the pages.")
    lockdown.begin(reason=f"The database is being replaced by the backup {name}.", is_total=True)
    try:
        _wait_for_writers(settings.database_url)
        yield
    except NotRight:
        raise
    except BaseException:
        _open_again(before, "Nothing was replaced.")
        raise
    _open_again(before, f"Restored from {name}, and proven.")
    say(
        "Money moves again." if before is None or before.is_total else "Money stays paused, as it was before."
    )


def _open_again(before: row.Lockdown | None, reason: str) -> None:
    """Lift the lockdown, or leave the one that somebody had set for reasons of their own."""
    _forget_connections()
    if before is None or before.is_total:
        lockdown.lift(reason=reason)
        return
    with unit_of_work() as session:
        row.switch_on(session, reason=before.reason, set_by=before.set_by)


def _wait_for_writers(url: str) -> None:
    """Let what has begun come to its end, as far as it does; every process has heard of the lockdown then."""
    time.sleep(2 * LOOK_AGAIN_SECONDS)
    until = time.monotonic() + LONGEST_WRITING
    with psycopg.connect(url, autocommit=True, application_name="backup restore") as watcher:
        while time.monotonic() < until:
            found = watcher.execute(WRITERS).fetchone()
            if found is None or found[0] == 0:
                return
            time.sleep(0.1)


def _saved(settings: Settings, keyring: Keyring, say: Say) -> str:
    """Make the backup that leads back, and give its name."""
    say("Making the safety backup.")
    try:
        safety = create_backup(settings, keyring, why=Why.SAFETY).name
    except BackupTrouble as trouble:
        raise NotRestored(f"No safety backup could be made, so nothing was replaced. {trouble}") from trouble
    db.session.rollback()
    say(f"The safety backup is {safety}.")
    return safety


def _replaced(
    settings: Settings, subject: Subject, identities: list[Identity], safety: str, say: Say
) -> Manifest:
    say(f"Replacing everything by {subject.name}.")
    store = store_of(settings.backups, target=subject.target, reading=True)
    found = manifests.fetch(store, subject.name)
    manifests.check_signature(found, settings.seal_keys)
    kept = ending.kept_rows(settings.database_url)
    _forget_connections()
    try:
        replacing.replace(
            settings,
            store,
            found,
            identities=identities,
            reason=f"The database was replaced by the backup {subject.name}, and is not proven yet.",
            kept=kept,
        )
    except replacing.NotKnown as trouble:
        raise _not_known(safety, trouble) from trouble
    except BackupTrouble as trouble:
        raise NotRestored(f"Nothing was replaced: everything is as it was. {trouble}") from trouble
    return found


def _checked(settings: Settings, keyring: Keyring, manifest: Manifest, say: Say) -> int:
    """Look for everything in the new database, as the proof did in the copy; give the number of entries."""
    say("Proving what is there now.")
    _forget_connections()
    with psycopg.connect(settings.database_owner_url or "", autocommit=True) as owner:
        owner.execute("analyze")
    noted = manifest.facts
    with psycopg.connect(settings.database_url) as connection:
        found = facts_of(connection)
    if (found.balance_digest, found.last_txn, found.seal_head) != (
        noted.balance_digest, noted.last_txn, noted.seal_head,
    ):  # fmt: skip
        raise NotRight("The balances or the seals are not those of the manifest.")
    if found.schema_revision != scripts().get_current_head():
        say(f"Bringing the schema up from {found.schema_revision}.")
        upgrade()
    report = check.run(db.session(), keys=settings.seal_keys or None)
    if report.differences:
        raise NotRight(told_of_books(report.differences))
    opened_fields(db.engine, keyring)
    return report.entries


def _not_known(safety: str, trouble: replacing.NotKnown) -> NotRight:
    return NotRight(
        f"{trouble} Nobody can tell yet whether everything was replaced, so money stays paused. Once it answers, "
        "flask --app wsgi lockdown status says which it is: “is being replaced” means that all is as it was, "
        f"“was replaced” that it was, and is not proven. Then restore once more, or go back to {safety}."
    )


def _not_right(safety: str, trouble: BaseException) -> NotRight:
    words = (
        str(trouble)
        if isinstance(trouble, (BackupTrouble, Undecryptable))
        else f"{type(trouble).__name__}: {trouble}"
    )
    return NotRight(
        f"The database was replaced, but does not prove, so money stays paused. {words} "
        f"To go back: flask --app wsgi backup restore {safety}. To let money move in spite of it: "
        "flask --app wsgi lockdown off --reason …"
    )


def _forget_connections() -> None:
    """Ours are to the old database."""
    db.session.remove()
    db.engine.dispose()


@contextmanager
def _alone(owner_url: str) -> Iterator[None]:
    """Let no other restore run meanwhile. The lock is the owner's, whose connections nobody breaks off."""
    with psycopg.connect(owner_url, autocommit=True) as guard:
        found = guard.execute("select pg_try_advisory_lock(%s)", (Lock.RESTORE,)).fetchone()
        if not found or not found[0]:
            raise NotRestored("The database is being replaced already. Nothing was done now.")
        yield
