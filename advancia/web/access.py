"""Who may call a route. Every route says so; one that does not is refused, and a test names it.

The declaration is data on the view (`access_of`), so that the guard, the tests and the staff pages read the same.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar, cast

from flask import Flask, abort, current_app, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from advancia.core import context
from advancia.core.context import Actor
from advancia.web.htmx import see_other

View = TypeVar("View", bound=Callable[..., Any])


class Access(StrEnum):
    PUBLIC = "public"  # anybody
    CUSTOMER = "customer"  # a signed-in customer
    MACHINE = "machine"  # a provider or a probe, which proves itself by other means than a session


def public(view: View) -> View:
    """Anybody may call this route."""
    return _declare(view, Access.PUBLIC)


def customer_required(view: View) -> View:
    """Only a signed-in customer may call this route; others are asked to sign in and come back."""
    return _declare(view, Access.CUSTOMER)


def machine(view: View) -> View:
    """A program calls this route; the view itself checks what it brings, such as a signature."""
    return _declare(view, Access.MACHINE)


def access_of(view: Callable[..., Any] | None) -> Access | None:
    """What the view declares, or `None` if it forgot to."""
    return cast("Access | None", getattr(view, "access", None))


def init_app(app: Flask) -> None:
    app.before_request(_guard)


def current_actor() -> Actor:
    """The signed-in person as the author of a change. Call it only in routes that require one."""
    return Actor(
        user_id=current_user.id,
        role=current_user.role,
        address=request.remote_addr,
        request_id=context.request_id.get(),
    )


def _declare(view: View, access: Access) -> View:
    view.access = access  # type: ignore[attr-defined]
    return view


def _guard() -> ResponseReturnValue | None:
    if request.endpoint is None or request.endpoint == "static":
        return None
    declared = access_of(current_app.view_functions.get(request.endpoint))
    if declared is None:
        abort(403)
    return _customers_only() if declared is Access.CUSTOMER else None


def _customers_only() -> ResponseReturnValue | None:
    if not current_user.is_authenticated:
        wanted = request.full_path.rstrip("?") if request.method == "GET" else None
        return see_other(url_for("identity.login", next=wanted))
    if current_user.role != "customer":
        abort(403)
    return None
