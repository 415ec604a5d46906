"""Telling people of alarms."""

from __future__ import annotations

from sqlalchemy import select

from advancia.core import outbox
from advancia.core.alarms import Alarm
from advancia.core.jobs import Job
from advancia.core.permissions import Role
from advancia.identity.models import User
from worker.tasks import Task, job

TOLD = (Role.ADMIN, Role.OWNER)


@job(Job.TELL_OF_ALARM)
def tell_of_alarm(task: Task, alarm_id: int) -> None:
    """Mail an alarm to all admins and owners who can sign in; one address stops no other."""
    with task.finish() as session:
        alarm = session.get_one(Alarm, alarm_id)
        people = select(User.id).where(User.role.in_(TOLD), User.suspended_at.is_(None))
        told = session.scalars(people).all()
        for user_id in told:
            facts = {
                "what": alarm.what,
                "about": alarm.about,
                "words": alarm.words,
                "when": alarm.last_at.isoformat(),
            }
            outbox.put(session, Job.SEND_EMAIL, template="alarm", user_id=user_id, facts=facts)
        task.outcome = f"Told {len(told)} {'person' if len(told) == 1 else 'people'}."
