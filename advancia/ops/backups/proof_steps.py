"""The steps of a proof, in their order: each says in words what it has found, or raises what is wrong."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine, create_engine, select
from sqlalchemy.orm import Session

from advancia.config import ROOT, sqlalchemy_url
from advancia.core.db import Model, db
from advancia.core.encryption import Keyring, Undecryptable, encrypted_columns
from advancia.core.errors import in_words
from advancia.ledger import check
from advancia.ledger.report import Difference
from advancia.ops.backups import manifest as manifests
from advancia.ops.backups import parts, restoring, signing_in, subjects
from advancia.ops.backups.errors import BackupTrouble, BadSignature, WrongKey
from advancia.ops.backups.facts import facts_of
from advancia.ops.backups.scratch import scratch_database
from advancia.ops.backups.signing_in import SignInFailed
from advancia.ops.backups.stores import store_of
from advancia.ops.backups.trial import Trial

NAMED_AT_MOST = 3  # differences, in a reason
MB = 2**20
# A backup may have been made while all was closed, as the one before a restore always is.
OPEN = "update lockdown set since = null, reason = null, set_by = null, is_total = false"


class NotProven(BackupTrouble):
    """The copy is not what the backup says, or does not work."""


@dataclass(frozen=True)
class Step:
    """One step: what it is called on the page, and what does it."""

    name: str
    take: Callable[[Trial], str]


def parts_are_there(trial: Trial) -> str:
    trial.found_store = store_of(trial.settings.backups, target=trial.subject.target, reading=True)
    found = manifests.fetch(trial.store, trial.subject.name)
    trial.store.open(manifests.dump_name(trial.subject.name)).close()
    trial.found_manifest = found
    return f"Manifest and dump lie in {trial.store.address}."


def manifest_is_ours(trial: Trial) -> str:
    found = trial.manifest
    manifests.check_signature(found, trial.settings.seal_keys)
    if (found.name, found.sha256) != (trial.subject.name, trial.subject.sha256):
        raise BadSignature("The manifest is of another backup than the one that was noted under this name.")
    return f"Signed with the seal key {found.key_id}."


def checksum_agrees(trial: Trial) -> str:
    parts.check_sum(trial.store, trial.manifest)
    return f"{trial.manifest.stored_bytes:,} bytes, SHA-256 {trial.manifest.sha256[:12]}…"


def key_opens_it(trial: Trial) -> str:
    is_given = bool(trial.identities)
    trial.identities = trial.identities or subjects.kept_identity(db.session(), trial.keyring, trial.subject)
    db.session.rollback()
    if not trial.identities:
        raise WrongKey(
            "The server can open its newest backup alone. For an older one give the owner's key with --identity-file."
        )
    restoring.check_opens(trial.store, trial.manifest, identities=trial.identities)
    return f"Decrypted with the key that {'was given' if is_given else 'is kept for its proof'}."


def version_is_known(trial: Trial) -> str:
    told = restoring.check_version(trial.settings, trial.manifest)
    revision = trial.manifest.facts.schema_revision
    if not is_known(revision):
        raise NotProven(
            f"The backup has the schema revision {revision}, which this version of ours does not know: it was made "
            f"by a newer one ({trial.manifest.app_version}). Prove it with that version."
        )
    return f"{told} Schema revision {revision}."


def scratch_is_ready(trial: Trial) -> str:
    needed = trial.manifest.facts.database_bytes
    trial.found_scratch = trial.stack.enter_context(scratch_database(trial.settings, database_bytes=needed))
    engine = create_engine(sqlalchemy_url(trial.scratch.app_url))
    trial.stack.callback(engine.dispose)
    trial.found_engine = engine
    return f"{trial.scratch.place.capitalize()}; the database was of {needed // MB:,} MB."


def dump_is_restored(trial: Trial) -> str:
    begun = time.monotonic()
    restoring.load(
        trial.settings, trial.store, trial.manifest, identities=trial.identities, scratch=trial.scratch
    )
    trial.restore_seconds = time.monotonic() - begun
    return f"Restored in {trial.restore_seconds:.1f} s."


def rows_agree(trial: Trial) -> str:
    with psycopg.connect(trial.scratch.owner_url) as owner:
        trial.found_facts = facts_of(owner)
    noted, found = trial.manifest.facts, trial.facts
    if found.schema_revision != noted.schema_revision:
        raise NotProven(
            f"The copy has the schema revision {found.schema_revision}, not {noted.schema_revision}."
        )
    if found.tables != noted.tables:
        raise NotProven(f"Tables differ from the manifest: {_told_of_tables(noted.tables, found.tables)}.")
    return f"{found.rows:,} rows in {len(found.tables)} tables, as in the manifest."


def balances_agree(trial: Trial) -> str:
    noted, found = trial.manifest.facts, trial.facts
    if (found.last_txn, found.last_seal, found.seal_head) != (
        noted.last_txn,
        noted.last_seal,
        noted.seal_head,
    ):
        raise NotProven(
            f"The ledger ends at transaction {found.last_txn} and seal {found.last_seal}; the manifest says "
            f"{noted.last_txn} and {noted.last_seal}, or another head."
        )
    if found.balance_digest != noted.balance_digest:
        raise NotProven("The balances of the copy are not those that the manifest stands for.")
    return f"{found.accounts:,} balances, up to transaction {found.last_txn}, seal {found.last_seal}."


def books_prove(trial: Trial) -> str:
    with Session(trial.engine) as session:
        report = check.run(session, keys=trial.settings.seal_keys or None)
    trial.entries = report.entries
    if report.differences:
        raise NotProven(told_of_books(report.differences))
    if report.is_empty:
        return "There are no entries in it, which proves nothing of the books."
    told = f"{report.entries:,} entries agree, under {report.seals:,} seal{'' if report.seals == 1 else 's'}"
    return f"{told}; not sealed yet: {report.unsealed:,} transactions." if report.unsealed else f"{told}."


def schema_comes_up(trial: Trial) -> str:
    newest = scripts().get_current_head()
    if trial.facts.schema_revision == newest:
        return f"At the newest revision, {newest}."
    with TemporaryDirectory() as folder:
        upgrade(trial, Path(folder))
    return f"Brought from {trial.facts.schema_revision} to {newest}."


def field_opens(trial: Trial) -> str:
    opened = opened_fields(trial.engine, trial.keyring)
    return f"Opened {', '.join(opened)}." if opened else "Nothing in it is stored encrypted."


def person_signs_in(trial: Trial) -> str:
    with psycopg.connect(trial.scratch.owner_url) as owner:
        owner.execute(OPEN)
    with TemporaryDirectory() as folder:
        with Session(trial.engine) as session:
            person = signing_in.somebody(session, trial.settings)
        with signing_in.web_process(
            trial.settings, database_url=trial.scratch.app_url, folder=Path(folder)
        ) as url:
            signing_in.sign_in(url, person)
    return f"{person.name} signed in over HTTP and saw their wallet."


def time_is_told(trial: Trial) -> str:
    lag = trial.begun_at - trial.manifest.begun
    trial.lag_seconds = lag.total_seconds()
    return f"Restored now, it would lose what came in the last {in_words(lag)}."


STEPS = (
    Step("Both parts are there", parts_are_there),
    Step("The manifest is ours", manifest_is_ours),
    Step("The checksum agrees", checksum_agrees),
    Step("The versions are known", version_is_known),
    Step("A key opens it", key_opens_it),
    Step("There is a place to restore to", scratch_is_ready),
    Step("The dump is restored", dump_is_restored),
    Step("The rows agree", rows_agree),
    Step("The balances agree", balances_agree),
    Step("The books prove", books_prove),
    Step("The schema comes up to date", schema_comes_up),
    Step("Encrypted fields open", field_opens),
    Step("A person signs in", person_signs_in),
    Step("How old it is", time_is_told),
)
# What a step raises when the backup, and not we, are at fault; the text goes onto the page.
EXPECTED = (BackupTrouble, SignInFailed, Undecryptable)


def scripts() -> ScriptDirectory:
    """The migrations of this version."""
    return ScriptDirectory(str(ROOT / "migrations"))


def is_known(revision: str) -> bool:
    """Whether this version has that schema revision."""
    try:
        return bool(revision) and scripts().get_revision(revision) is not None
    except CommandError:
        return False


def opened_fields(engine: Engine, keyring: Keyring) -> list[str]:
    """Decrypt one value of each encrypted column that has any; give the columns. Raises `Undecryptable`."""
    opened = []
    with engine.connect() as connection:
        for each in encrypted_columns():
            columns = Model.metadata.tables[each.table].columns
            key, column = columns[each.key], columns[each.column]
            row = connection.execute(select(key, column).where(column.is_not(None)).limit(1)).first()
            if row is not None:
                keyring.decrypt(bytes(row[1]), table=each.table, column=each.column, row=row[0])
                opened.append(str(each))
    return opened


def upgrade(trial: Trial, folder: Path) -> None:
    """Bring the copy up to this version's schema, as an update of the product would. Raises `NotProven`."""
    environ = signing_in.environ_of(trial.settings, database_url=trial.scratch.app_url, folder=folder)
    ran = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "db", "upgrade"],
        cwd=ROOT, env={**environ, "DATABASE_OWNER_URL": trial.scratch.owner_url},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if ran.returncode != 0:
        last = ran.stderr.strip().splitlines()[-1:]
        raise NotProven(f"The copy could not be brought up to date: {' '.join(last)}")


def _told_of_tables(noted: dict[str, int], found: dict[str, int]) -> str:
    told = [
        f"{name} has {found.get(name, 'no')} rows instead of {noted.get(name, 'none')}"
        for name in sorted(noted.keys() | found.keys())
        if noted.get(name) != found.get(name)
    ]
    return _some(told)


def told_of_books(differences: Iterable[Difference]) -> str:
    """What is wrong with the books: the first few rows at fault; a broken seal only where nothing else is."""
    told = [each.told for each in differences if each.check != "seal"]
    if told:
        return f"The books of the backup disagree: {_some(told)}."
    return f"A seal is broken: {_some([each.told for each in differences])}."


def _some(told: list[str]) -> str:
    more = len(told) - NAMED_AT_MOST
    return "; ".join(told[:NAMED_AT_MOST]) + (f"; and {more} more" if more > 0 else "")
