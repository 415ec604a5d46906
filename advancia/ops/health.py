"""Whether the parts answer, told within two seconds whatever hangs.

Each server is looked at on a thread of its own. Who asks waits for it so long and no longer; what has not answered by
then is `Not answering`. One look is under way at a time in each process, however many ask, and one that hangs is left
alone: it holds one thread and one connection until its server answers or is gone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from flask import Flask, current_app
from redis import RedisError
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from advancia.core.db import Session, db
from advancia.ops import parts as product
from advancia.ops.parts import Part, State

LOOK_SECONDS = 1.5
PART_SECONDS = 0.5  # for a part that is asked of the database
TIMED_OUT = "57014"

Looking = Callable[[dict[str, Part]], None]


@dataclass(frozen=True)
class Health:
    """All parts, and what they come to."""

    parts: list[Part]

    @property
    def state(self) -> State:
        states = {part.state for part in self.parts}
        return next((each for each in (State.DOWN, State.DEGRADED) if each in states), State.OK)

    def keys(self, state: State) -> list[str]:
        return [part.key for part in self.parts if part.state is state]


@dataclass
class _Run:
    """One look, under way or over, and what it has found so far."""

    begun: float = field(default_factory=time.monotonic)
    over: threading.Event = field(default_factory=threading.Event)
    found: dict[str, Part] = field(default_factory=dict)

    def wait(self) -> dict[str, Part]:
        """What it has found when its time is up. What one that hangs had found before says nothing of now."""
        left = self.begun + LOOK_SECONDS - time.monotonic()
        if not self.over.wait(max(left, 0.0)) and left <= 0:
            return {}
        return dict(self.found)


class _Lookout:
    """Whoever wants to know while a look is under way waits for that one."""

    def __init__(self, looking: Looking) -> None:
        self._looking = looking
        self._lock = threading.Lock()
        self._run: _Run | None = None

    def begin(self) -> _Run:
        with self._lock:
            if self._run is None or self._run.over.is_set():
                self._run = _Run()
                threading.Thread(target=self._look, args=(self._run,), daemon=True).start()
            return self._run

    def _look(self, run: _Run) -> None:
        try:
            self._looking(run.found)
        finally:
            run.over.set()


class Checkup:
    """The health of one app, asked for by its requests."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._database = _Lookout(self._look_at_database)
        self._cache = _Lookout(self._look_at_cache)

    def health(self) -> Health:
        """Look at every part now. Never raises, and takes no longer than `LOOK_SECONDS`."""
        product.code_head()  # once for all, so that its time is nobody's delay
        runs = [self._database.begin(), self._cache.begin()]
        found = {key: part for run in runs for key, part in run.wait().items()}
        missing = [part for look in product.IN_DATABASE for part in look.unanswered()]
        missing.insert(1, product.silent_cache())
        return Health([found.get(part.key, part) for part in missing])

    def _look_at_database(self, found: dict[str, Part]) -> None:
        with self._app.app_context(), Session(db.engine) as session:
            for look in product.IN_DATABASE:
                if not _note(found, look.at, session):
                    return

    def _look_at_cache(self, found: dict[str, Part]) -> None:
        try:
            found["cache"] = product.cache_of(self._app.extensions["settings"])
        except (RedisError, OSError):
            return


def health() -> Health:
    """The health of the app whose request this is."""
    checkup: Checkup = current_app.extensions["health"]
    return checkup.health()


def _note(found: dict[str, Part], look: Callable[[Session], Iterable[Part]], session: Session) -> bool:
    """Note what the look finds; false when there is no use in asking the database for more."""
    try:
        session.execute(select(func.set_config("statement_timeout", f"{int(PART_SECONDS * 1000)}ms", True)))
        found.update({part.key: part for part in look(session)})
        session.rollback()
    except SQLAlchemyError as trouble:
        session.rollback()
        return isinstance(trouble, DBAPIError) and getattr(trouble.orig, "sqlstate", None) is not None
    return True
