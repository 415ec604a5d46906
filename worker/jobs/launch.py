"""The launch check, when it was asked for on the staff page."""

from __future__ import annotations

from flask import current_app

from advancia.core.db import db
from advancia.core.jobs import Job
from advancia.ops.launch import queries, services
from advancia.ops.launch.look import Look
from worker.tasks import Task, job


@job(Job.CHECK_LAUNCH)
def check_launch(task: Task, run_id: int) -> None:
    """Conduct the run, once: what a worker does after another one has died it does alone, and a check needs the others.

    While a command runs the same checks this raises `AlreadyRunning`, and so waits for its end.
    """
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - the checks need it whole
    asked = queries.run(db.session(), run_id)
    db.session.rollback()
    if not asked.is_open:
        task.outcome = "That run was over already."
        return
    if asked.has_begun:
        with task.finish() as session:
            services.fail(session, run_id, services.LOST)
            task.outcome = services.LOST
        return
    with task.kept(), services.alone(app.extensions["settings"]):
        lines = services.conduct(Look(app=app, url=asked.url), run_id=run_id)
    with task.finish() as session:
        services.finish(session, run_id)
        scores = queries.scores(lines)
        task.outcome = "; ".join(f"{number} {state.value}" for state, number in scores.items() if number)
