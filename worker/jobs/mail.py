"""Sending mail."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import current_app, render_template, url_for

from advancia.core import log
from advancia.core.canaries import is_canary
from advancia.core.db import Session, db, unit_of_work
from advancia.core.jobs import Job
from advancia.identity import queries as people
from advancia.ops.launch import mailbox
from advancia.payments import queries as payments
from advancia.providers.mail import Mail, MailRefused, mailer_from
from advancia.reconciliation import queries as reconciliation
from advancia.wallet.transfers import queries as transfers
from worker.tasks import Task, job

_log = log.logger(__name__)


@job(Job.SEND_EMAIL)
def send_email(
    task: Task, template: str, facts: dict[str, Any], to: str | None = None, user_id: int | None = None
) -> None:
    """Write the mail from its template and hand it to the mail server.

    A repeat after a crash may send a mail twice, under the same Message-ID, and never less than once. An address
    that the server refuses for good is not tried again.
    """
    settings = current_app.extensions["settings"]
    session = db.session()
    if user_id is not None:
        reader = people.person(session, user_id)
        to, facts = reader.email, {**facts, "name": reader.name, **_facts_about(session, user_id, facts)}
    db.session.rollback()  # no transaction is open while the mail server is talked to
    if to is None:
        raise ValueError("A mail needs a user or an address to go to.")
    try:
        with current_app.test_request_context(base_url=settings.public_url):
            mail = written(
                template, to=to, key=f"outbox-{task.claim.outbox_id}", facts={**facts, **task.secret}
            )
        _hand_over(mail)
    except MailRefused as refusal:
        _log.warning("mail_refused", template=template, reason=str(refusal))


def _hand_over(mail: Mail) -> None:
    """To the mail server; but what is for a canary of the launch check goes to where it is looked for."""
    if not is_canary(mail.to):
        mailer_from(current_app.extensions["settings"]).send(mail)
        return
    with unit_of_work() as session:
        mailbox.keep(session, mail, keyring=current_app.extensions["keyring"])


def written(template: str, *, to: str, key: str, facts: dict[str, Any]) -> Mail:
    """The mail: its text's first line is the subject."""
    facts = {
        "login_url": url_for("identity.login", _external=True),
        "security_url": url_for("factors.security", _external=True),
        "alarms_url": url_for("admin.alarms.index", _external=True),
        **facts,
    }
    if "reference" in facts:
        facts["url"] = url_for("wallet.movement", reference=facts["reference"], _external=True)
    if "run_id" in facts:
        facts["run_url"] = url_for("admin.reconciliation.show", run_id=facts["run_id"], _external=True)
    subject, _, text = render_template(f"emails/{template}.txt", **facts).strip().partition("\n")
    html = render_template(f"emails/{template}.html", **facts)
    return Mail(to=to, subject=subject.strip(), text=text.strip() + "\n", html=html, key=key)


def _facts_about(session: Session, user_id: int, facts: dict[str, Any]) -> dict[str, Any]:
    """What the mail says about the deposit or the transfer that it names."""
    if "deposit_id" in facts:
        return _facts_about_deposit(session, user_id, facts)
    if "run_id" in facts:
        run = reconciliation.run(session, facts["run_id"])
        return {"run": run, "verdict_words": run.verdict_words}
    if "transfer_id" in facts:
        transfer = transfers.transfer_of(session, user_id, UUID(facts["transfer_id"]))
        return {
            "reference": transfer.reference,
            "amount": str(transfer.amount),
            "note": transfer.note,
            "sender_name": transfer.sender_name,
            "recipient_name": transfer.recipient_name,
            "when": transfer.created_at,
        }
    return {}


def _facts_about_deposit(session: Session, user_id: int, facts: dict[str, Any]) -> dict[str, Any]:
    deposit = payments.deposit_of(session, user_id, UUID(facts["deposit_id"]))
    differs = deposit.credited is not None and deposit.credited != deposit.amount
    return {
        "reference": deposit.reference,
        "provider_words": deposit.provider_words,
        "when": deposit.paid_at,
        "asked_for": deposit.amount if differs else None,
        "open_until": deposit.open_until,
        "shares": payments.shares_of(session, user_id, facts["posted_as"]) if "posted_as" in facts else None,
    }
