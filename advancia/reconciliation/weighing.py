"""Whether what lies at a provider was weighed: a run that could not says so, and several in a row sound an alarm."""

from __future__ import annotations

from sqlalchemy import select

from advancia.core import alarms
from advancia.core.db import Session
from advancia.reconciliation import progress
from advancia.reconciliation.models import ReconciliationRun as Run

UNWEIGHED = "reconciliation.unweighed"
MOST_IN_A_ROW = 3
WEIGHED = "weighed"  # in a provider's part of the progress: whether it was, where it was to be
NOT_NOW = (
    "What lies at {at} was not weighed: the window of this run has passed, and only the present can be asked."
)
NEVER_STILL = (
    "What lies at {at} was not weighed: it kept moving through all {tries} tries. The next run weighs it again; run it "
    "at a quieter hour if that does not help."
)
WORDS = (
    "What lies at {provider} has not been weighed in the last {count} runs, since it kept moving: that it is what our "
    "books say is not proven. Run flask --app wsgi reconcile --provider {provider} at a quieter hour."
)


def follow(session: Session, run: Run) -> None:
    """Sound or end the alarm of each provider that was to be weighed in this run; the caller commits."""
    for part, told in run.progress.items():
        provider = part.removeprefix(progress.of_provider(""))
        if told.get(WEIGHED) is True:
            alarms.clear(session, what=UNWEIGHED, about=provider)
        elif told.get(WEIGHED) is False and _are_all_unweighed(session, run, part):
            words = WORDS.format(provider=provider, count=MOST_IN_A_ROW)
            alarms.sound(session, what=UNWEIGHED, about=provider, words=words)


def _are_all_unweighed(session: Session, run: Run, part: str) -> bool:
    """Whether this run and the ones before it have all failed to weigh it; those that were not to are passed over."""
    was_weighed = Run.progress[(part, WEIGHED)].as_boolean()
    newest = session.scalars(
        select(was_weighed)
        .where(Run.id <= run.id, was_weighed.is_not(None))
        .order_by(Run.id.desc())
        .limit(MOST_IN_A_ROW)
    ).all()
    return len(newest) == MOST_IN_A_ROW and not any(newest)
