"""All recurring work, one line each. `worker.schedule` is the clock that puts it; all times are UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from croniter import croniter

from advancia.core.jobs import Job


@dataclass(frozen=True)
class Line:
    """Run `job` whenever `when` (minute hour day month weekday, UTC) has come. `words` tell staff what it is for."""

    job: Job
    when: str
    words: str = ""

    def last_turn(self, now: datetime) -> datetime:
        """The latest moment at or before `now` at which this line was due."""
        turn: datetime = (
            croniter(self.when, now).get_prev(datetime) if not croniter.match(self.when, now) else now
        )
        return turn.replace(second=0, microsecond=0)

    def next_turn(self, now: datetime) -> datetime:
        """The first moment after `now` at which this line is due."""
        turn: datetime = croniter(self.when, now).get_next(datetime)
        return turn


TABLE = (
    Line(Job.EXPIRE_DEPOSITS, "* * * * *", "Close deposits whose time is over"),
    Line(Job.CHASE_PAYMENTS, "*/10 * * * *", "Ask about refunds and disputes that do not end"),
    Line(Job.ROLL_UP_LEDGER, "* * * * *", "Sum up the house's accounts"),
    Line(Job.SEAL_LEDGER, "* * * * *", "Seal the ledger"),
    Line(Job.SWEEP, "17 * * * *", "Delete what has served its purpose"),
    Line(Job.CHECK_LEDGER, "*/10 * * * *", "Prove what came since the last check"),
    Line(Job.PROVE_LEDGER, "0 2 * * *", "Prove all of the ledger"),
)
