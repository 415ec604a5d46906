"""What people are told of their account."""

from __future__ import annotations

from flask import current_app, url_for

from advancia.core.jobs import Job
from advancia.identity import notices, queries
from advancia.identity.notices import Notice
from advancia.identity.services import sign_in
from worker.tasks import Task, job

LOCKED = (
    "No new browser can sign in with your password until you set a new one. Browsers that you have signed in with "
    "before still can."
)


@job(Job.TELL_OF_LOCK)
def tell_of_lock(task: Task, email: str) -> None:
    """Mail the owner of the account that no password is looked at any more, if it is still so and there is one."""
    with task.finish() as session:
        user_id = queries.credentials_of(session, email).user_id
        if user_id is None or not sign_in.is_locked(session, email=email):
            return
        notices.tell(
            session,
            user_id=user_id,
            notice=Notice.PASSWORD_LOCKED,
            sentence=LOCKED,
            link=(_way_out(), "Set a new password"),
        )


def _way_out() -> str:
    with current_app.test_request_context(base_url=current_app.extensions["settings"].public_url):
        return url_for("recovery.forgot_password", _external=True)
