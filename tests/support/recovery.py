"""Mails with links, as their readers find them."""

from __future__ import annotations

import email.policy as mail_policy
import re
from email import message_from_bytes
from email.message import EmailMessage
from typing import cast

from flask import Flask
from sqlalchemy import text

from advancia.config import Settings
from advancia.core.db import db

_LINK = re.compile(r"https?://[^/\s]+(/(?:password/reset|email-change|factor-reset)/[\w-]+)")


def mails_to(settings: Settings, address: str) -> list[EmailMessage]:
    """Every mail that was sent to that address, in the order in which they were put into the outbox."""
    paths = sorted((settings.var / "mail").glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
    mails = [message_from_bytes(path.read_bytes(), policy=mail_policy.default) for path in paths]
    return [cast("EmailMessage", mail) for mail in mails if mail["To"] == address]


def link_in(mail: EmailMessage) -> str:
    """The path of the link in the mail's text."""
    found = _LINK.search(mail.get_body(("plain",)).get_content())  # type: ignore[union-attr]
    assert found, mail
    return found[1]


def newest_link(settings: Settings, address: str) -> str:
    """The path of the link in the newest mail to that address that has one."""
    with_links = [
        mail
        for mail in mails_to(settings, address)
        if _LINK.search(mail.get_body(("plain",)).get_content())  # type: ignore[union-attr]
    ]
    return link_in(with_links[-1])


def audited(app: Flask, user_id: int, action: str) -> int:
    """How often the audit trail says that this was done to the person."""
    with app.app_context():
        return (
            db.session.scalar(
                text(
                    "SELECT count(*) FROM audit_record "
                    "WHERE object_kind = 'user' AND object_id = :id AND action = :action"
                ),
                {"id": str(user_id), "action": action},
            )
            or 0
        )
