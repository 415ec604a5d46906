"""The parts of the product, each looked at by one small function: whether it works, in words and in figures.

A part that fails makes us `down` where nobody can use their money without it, and `degraded` where they can, though
something comes later than it should. docs/operations.md says which is which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache

from alembic.script import ScriptDirectory
from redis import Redis
from sqlalchemy import func, select, text

from advancia.config import ROOT, Settings
from advancia.core import alarms, heartbeats
from advancia.core.clock import utcnow
from advancia.core.db import Session
from advancia.core.errors import in_words
from advancia.core.outbox import OutboxRow
from advancia.ops import lockdown
from advancia.ops.backups import proof
from advancia.ops.books import Books, books
from advancia.webhooks.models import WebhookEvent

OUTBOX_IS_LATE = timedelta(minutes=1)
WEBHOOKS_ARE_LATE = timedelta(minutes=5)
BACKUP_PROOF_IS_LATE = timedelta(days=8)  # it comes each week
CACHE_PATIENCE = 1.0  # seconds

WORKING = "Working"
PAUSED = "Paused"
NOT_ANSWERING = "Not answering"
Facts = Mapping[str, float | int | str | None]


class State(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True)
class Part:
    """One part as it was found. `facts` are for machines: `age_seconds`, `lag_seconds` and their like."""

    key: str
    name: str
    state: State = State.OK
    words: str = WORKING
    facts: Facts = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.state is State.OK


@dataclass(frozen=True)
class Look:
    """Parts that are looked at together, by name, and what they are when they do not answer."""

    names: Mapping[str, str]
    at: Callable[[Session], Iterator[Part]]
    silent: State = State.DEGRADED

    def unanswered(self) -> list[Part]:
        return [Part(key, name, self.silent, NOT_ANSWERING) for key, name in self.names.items()]


def _database(session: Session) -> Iterator[Part]:
    session.execute(text("SELECT 1"))
    yield Part("database", "Database")


def _migrations(session: Session) -> Iterator[Part]:
    """Missing ones are missed by every page; a database that is ahead is the middle of a deployment."""
    head, known = code_head()
    found = session.scalar(text("SELECT version_num FROM alembic_version"))
    part = Part("migrations", "Migrations", facts={"database": found, "code": head})
    if found == head:
        yield part
    elif found in known or found is None:
        yield Part(part.key, part.name, State.DOWN, "The database lacks migrations", part.facts)
    else:
        words = "The database is newer than this process"
        yield Part(part.key, part.name, State.DEGRADED, words, part.facts)


def _processes(session: Session) -> Iterator[Part]:
    ages = heartbeats.ages(session)
    for process in heartbeats.PROCESSES:
        age = ages.get(process)
        facts = {"age_seconds": None if age is None else _seconds(age)}
        name = process.capitalize()
        if age is None:
            yield Part(process, name, State.DEGRADED, "Not running", facts)
        elif age > heartbeats.SILENT_AFTER:
            yield Part(process, name, State.DEGRADED, f"Silent for {_whole(age)}", facts)
        else:
            yield Part(process, name, facts=facts)


def _outbox(session: Session) -> Iterator[Part]:
    """By what is due, has waited for longest and is in nobody's hands."""
    oldest = select(func.min(OutboxRow.available_at)).where(
        OutboxRow.done_at.is_(None), OutboxRow.parked_at.is_(None), OutboxRow.available_at <= func.now()
    )
    yield _lag(
        "outbox",
        "Background work",
        session.scalar(select(func.now() - oldest.scalar_subquery())),
        OUTBOX_IS_LATE,
    )


def _webhooks(session: Session) -> Iterator[Part]:
    oldest = select(func.min(WebhookEvent.received_at)).where(WebhookEvent.state == "received")
    lag = session.scalar(select(func.now() - oldest.scalar_subquery()))
    yield _lag("webhooks", "Events of providers", lag, WEBHOOKS_ARE_LATE)


def _books(session: Session) -> Iterator[Part]:
    found, standing = books(session), alarms.standing(session)
    yield _proof(found, is_wrong=bool(standing & {"ledger.check", "ledger.proof"}))
    yield _seals(found, is_broken="ledger.seal" in standing)


def _proof(found: Books, *, is_wrong: bool) -> Part:
    facts = {"age_seconds": _age(found.proven_at)}
    if is_wrong:
        return Part("ledger", "Ledger", State.DEGRADED, "A check found differences", facts)
    if found.proof_is_late and found.unproven_since:
        words = f"Not proven for {_whole(utcnow() - found.unproven_since)}"
        return Part("ledger", "Ledger", State.DEGRADED, words, facts)
    return Part("ledger", "Ledger", words=WORKING if found.proven_at else "Nothing proven yet", facts=facts)


def _seals(found: Books, *, is_broken: bool) -> Part:
    facts = {"lag_seconds": _age(found.oldest_unsealed) or 0.0, "age_seconds": _age(found.sealed_at)}
    if is_broken:
        return Part("seals", "Seals", State.DEGRADED, "Sealing has stopped", facts)
    if found.seal_is_late and found.oldest_unsealed:
        words = f"Late by {_whole(utcnow() - found.oldest_unsealed)}"
        return Part("seals", "Seals", State.DEGRADED, words, facts)
    return Part("seals", "Seals", facts=facts)


def _backup(session: Session) -> Iterator[Part]:
    """By the last proof that a backup can be restored: a backup that nobody has restored is a hope."""
    last, passed = proof.latest(session), proof.latest_passed(session)
    age = utcnow() - passed.finished_at if passed and passed.finished_at else None
    facts = {"age_seconds": None if age is None else _seconds(age)}
    part = Part("backup", "Backups", State.DEGRADED, "No backup has been proven yet", facts)
    if last is not None and not last.passed:
        yield replace(part, words="The last proof of a backup failed")
    elif age is None:
        yield part
    elif age > BACKUP_PROOF_IS_LATE:
        yield replace(part, words=f"No backup was proven for {age.days} days")
    else:
        yield replace(part, state=State.OK, words=WORKING)


def _money(session: Session) -> Iterator[Part]:
    """Whether it moves: a lockdown may be meant, or left on by a restore that was killed."""
    found = lockdown.state(session)
    if found.lockdown is None and not found.is_frozen:
        yield Part("money", "Money")
        return
    age = utcnow() - found.lockdown.since if found.lockdown else None
    words = f"{PAUSED} by half only" if age is None or found.is_half else f"{PAUSED} for {_whole(age)}"
    yield Part(
        "money", "Money", State.DEGRADED, words, {"age_seconds": None if age is None else _seconds(age)}
    )


IN_DATABASE = (
    Look({"database": "Database"}, _database, State.DOWN),
    Look({"migrations": "Migrations"}, _migrations, State.DOWN),
    Look({each: each.capitalize() for each in heartbeats.PROCESSES}, _processes),
    Look({"outbox": "Background work"}, _outbox),
    Look({"webhooks": "Events of providers"}, _webhooks),
    Look({"ledger": "Ledger", "seals": "Seals"}, _books),
    Look({"backup": "Backups"}, _backup),
    Look({"money": "Money"}, _money),
)


def cache_of(settings: Settings) -> Part:
    """Without it nothing is lost: the pages go on, and what they ask of the worker waits. Raises `RedisError`."""
    patience = {"socket_connect_timeout": CACHE_PATIENCE, "socket_timeout": CACHE_PATIENCE}
    with Redis.from_url(settings.redis_url, **patience) as redis:
        redis.ping()
    return Part("cache", "Cache")


def silent_cache() -> Part:
    return Part("cache", "Cache", State.DEGRADED, NOT_ANSWERING)


@cache
def code_head() -> tuple[str | None, frozenset[str]]:
    """The newest migration that this code knows, and all of them; it does not change while the process runs."""
    scripts = ScriptDirectory(str(ROOT / "migrations"))
    return scripts.get_current_head(), frozenset(each.revision for each in scripts.walk_revisions())


def _lag(key: str, name: str, lag: timedelta | None, late: timedelta) -> Part:
    facts = {"lag_seconds": _seconds(lag) if lag else 0.0}
    if lag is not None and lag > late:
        return Part(key, name, State.DEGRADED, f"Late by {_whole(lag)}", facts)
    return Part(key, name, facts=facts)


def _whole(age: timedelta) -> str:
    """How long, in whole minutes or hours, and never too long."""
    unit = timedelta(hours=1) if age > timedelta(hours=2) else timedelta(minutes=1)
    return in_words(age // unit * unit or age)


def _age(moment: datetime | None) -> float | None:
    return None if moment is None else _seconds(utcnow() - moment)


def _seconds(age: timedelta) -> float:
    return round(max(age.total_seconds(), 0.0), 1)
