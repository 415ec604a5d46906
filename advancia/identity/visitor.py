"""The signed-in visitor, loaded with their session in one query, behind Flask-Login."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask import Flask, Response, after_this_request, current_app, g, request
from flask import session as cookie
from flask_login import LoginManager, UserMixin, current_user, login_user
from sqlalchemy import func, update

from advancia.core.db import Session, bookkeeping, db
from advancia.identity import queries
from advancia.identity.models import UserSession
from advancia.identity.sessions import devices
from advancia.identity.sessions import services as sessions
from advancia.web.access import current_actor

login_manager = LoginManager()
# The session row decides; Flask-Login's own check of address and browser would sign people out on the train.
login_manager.session_protection = None


@dataclass(frozen=True)
class Visitor(UserMixin):  # type: ignore[misc]
    """A person with the session they came by. Flask-Login keeps the session's token, never the person's id."""

    id: int
    session_id: int
    token: str
    name: str
    handle: str
    email: str
    role: str
    confirmed_at: datetime
    second_factor_at: datetime | None
    password_at: datetime | None
    has_second_factor: bool
    terms_version: str

    def get_id(self) -> str:
        return self.token


def init_app(app: Flask) -> None:
    login_manager.init_app(app)


@login_manager.user_loader  # type: ignore[untyped-decorator]
def load(token: str) -> Visitor | None:
    """The visitor whose session has that token; `None` once it has ended, run out or been suspended."""
    found = queries.open_session(db.session(), token)
    if found is None:
        return None
    # A page that polls by itself is no sign that somebody sits before it.
    if found.stale and "HX-PTag" not in request.headers:
        _note_use(found.session_id)
    return Visitor(
        id=found.user_id,
        session_id=found.session_id,
        token=token,
        name=found.name,
        handle=found.handle,
        email=found.email,
        role=found.role,
        confirmed_at=found.confirmed_at,
        second_factor_at=found.second_factor_at,
        password_at=found.password_at,
        has_second_factor=found.has_second_factor,
        terms_version=found.terms_version,
    )


def start(
    session: Session, *, user_id: int, second_factor: bool, password: bool = True, is_first: bool = False
) -> str:
    """Open a session for this browser and return its token; `adopt` it once the unit of work is committed.

    `is_first`: the account has just been made here, so that its owner needs no mail about a new device. The session
    that this browser has until now ends, whoever's it is: nobody could end it by hand any more.
    """
    if current_user.is_authenticated:
        sessions.sign_out(session, actor=current_actor(), session_id=current_user.session_id)
    return sessions.start(
        session,
        user_id=user_id,
        address=request.remote_addr,
        user_agent=request.user_agent.string,
        second_factor=second_factor,
        password=password,
        device=device_token(),
        is_first=is_first,
    )


def adopt(token: str) -> None:
    """Give this browser the session of that token, and throw away whatever its cookie held before.

    For a sign-in, and for a session that got a new token because more was proved in it.
    """
    cookie.clear()
    login_user(load(token))
    after_this_request(_keep_device)


def go_on_by(token: str) -> None:
    """Go on in the same session under its new token, with whatever else the cookie holds: it is the same person."""
    if (visitor := load(token)) is not None:  # else somebody has ended the session a moment ago
        login_user(visitor)


def known_device() -> str | None:
    """The token that this browser is known by from an earlier sign-in."""
    token = request.cookies.get(_device_cookie())
    return token if devices.is_token(token) else None


def device_token() -> str:
    """The token that this browser is known by, or is to be known by from now on."""
    if "device_token" not in g:
        g.device_token = known_device() or devices.new_token()
    token: str = g.device_token
    return token


def _keep_device(response: Response) -> Response:
    response.set_cookie(
        _device_cookie(),
        device_token(),
        max_age=devices.KEPT,
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        httponly=True,
        samesite="Lax",
    )
    return response


def _device_cookie() -> str:
    return "__Host-device" if current_app.config["SESSION_COOKIE_SECURE"] else "device"


def _note_use(session_id: int) -> None:
    with bookkeeping() as session:
        session.execute(
            update(UserSession).where(UserSession.id == session_id).values(last_used_at=func.now())
        )
