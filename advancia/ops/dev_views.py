"""Development only: the mail that would have been sent, to be read in the browser."""

from __future__ import annotations

import email
import email.policy
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flask import Blueprint, abort, current_app
from flask.typing import ResponseReturnValue

from advancia.web.access import public
from advancia.web.htmx import render

bp = Blueprint("dev", __name__, url_prefix="/dev")

NEWEST = 50


@dataclass(frozen=True)
class Message:
    name: str
    to: str
    subject: str
    when: datetime
    text: str


@bp.get("/mail")
@public
def mailbox() -> ResponseReturnValue:
    newest = sorted(_folder().glob("*.eml"), reverse=True)[:NEWEST]
    return render("dev/mailbox.html", messages=[_read(path) for path in newest])


@bp.get("/mail/<name>")
@public
def message(name: str) -> ResponseReturnValue:
    path = _folder() / Path(name).name
    if path.suffix != ".eml" or not path.is_file():
        abort(404)
    return render("dev/message.html", message=_read(path))


def _folder() -> Path:
    var: Path = current_app.extensions["settings"].var
    return var / "mail"


def _read(path: Path) -> Message:
    mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    body = mail.get_body(preferencelist=("plain",))
    return Message(
        name=path.name,
        to=str(mail["To"]),
        subject=str(mail["Subject"]),
        when=datetime.fromtimestamp(path.stat().st_mtime, UTC),
        text=body.get_content() if body else "",
    )
