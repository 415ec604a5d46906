"""A whole run: the inside in one snapshot, each provider's books, then the verdict.

Each part is noted as it is done, so a run that is killed goes on with the part that it was at. The inside is done in
one go, since it is of one moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Engine, func, select, text, update
from sqlalchemy.orm import Session

from advancia.core import log
from advancia.core.db import unit_of_work
from advancia.reconciliation import inside, keeping, progress, runs
from advancia.reconciliation.found import Found, NotAnswered, Outside, Tally
from advancia.reconciliation.inside import SealKeys
from advancia.reconciliation.models import ReconciliationRun as Run

WORK_MEM = "64MB"  # for the inside, so that little is sorted on the disk
KEPT_AT_MOST = 5000  # differences with one provider that a run names

_log = log.logger(__name__)


def go_on(engine: Engine, run_id: int, *, seal_keys: SealKeys | None, outsides: Sequence[Outside]) -> str:
    """Do what is left of the run and return its verdict. Raises `AlreadyRunning`.

    No transaction of the caller's may be open. Whatever else is raised leaves the run to be gone on with.
    """
    with runs.only_one(engine):
        with unit_of_work() as session:
            run = runs.running(session, run_id)
            if run is None:
                return "was concluded before"
            provider, done = run.provider, {part for part, told in run.progress.items() if told.get("over")}
        if progress.INSIDE not in done:
            _look_inside(engine, run_id, seal_keys)
        for each in outsides:
            if provider in (None, each.provider) and progress.of_provider(each.provider) not in done:
                _look_outside(run_id, each)
        with unit_of_work() as session:
            verdict = runs.conclude(session, run_id)
    _log.info("reconciled", run=run_id, verdict=verdict)
    return verdict


def _look_inside(engine: Engine, run_id: int, seal_keys: SealKeys | None) -> None:
    def say(words: str, done: int, of: int) -> None:
        with unit_of_work() as session:
            progress.note(
                session, run_id, part=progress.INSIDE, told={"words": words, "done": done, "of": of}
            )

    with Session(engine) as snapshot:
        snapshot.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        snapshot.execute(text("set transaction read only"))
        snapshot.execute(select(func.set_config("work_mem", WORK_MEM, True)))
        at = snapshot.scalar(text("select now()"))
        looked = list(inside.look(snapshot, seal_keys=seal_keys, progress=say))
    with unit_of_work() as session:
        session.execute(update(Run).where(Run.id == run_id).values(snapshot_at=at))
        keeping.keep(session, run_id, (one for each in looked for one in each.found))
        tallies = [_told(each.tally, is_whole=each.is_whole) for each in looked]
        _finish_part(session, run_id, progress.INSIDE, words="Our own books", tallies=tallies)


def _look_outside(run_id: int, outside: Outside) -> None:
    part = progress.of_provider(outside.provider)
    try:
        outside.collect(run_id)
    except NotAnswered as trouble:
        _log.warning("reconciliation_not_answered", provider=outside.provider, trouble=str(trouble))
        with unit_of_work() as session:
            _finish_part(session, run_id, part, words=outside.provider, alarm=str(trouble))
        return
    with unit_of_work() as session:
        found = list(_at_most(outside.differences(session, run_id), KEPT_AT_MOST + 1))
        keeping.keep(session, run_id, found[:KEPT_AT_MOST])
        is_whole = len(found) <= KEPT_AT_MOST
        tallies = [_told(each, is_whole=is_whole) for each in outside.tallies(session, run_id)]
        _finish_part(session, run_id, part, words=outside.provider, tallies=tallies)


def _at_most(found: Iterable[Found], most: int) -> Iterable[Found]:
    for number, each in enumerate(found, start=1):
        yield each
        if number == most:
            return


def _told(tally: Tally, *, is_whole: bool) -> dict[str, Any]:
    return {**asdict(tally), "whole": is_whole}


def _finish_part(session: Session, run_id: int, part: str, **told: Any) -> None:
    noted = progress.noted(session, run_id, part=part)
    progress.note(session, run_id, part=part, told={**noted, **told, "over": True})
