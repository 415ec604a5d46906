"""Who may call a route. Every route says so; one that does not is refused, and a test names it.

The declaration is data on the view (`access_of`, `permission_of`, `is_confirmed`), so that the guard, the tests and
the staff pages read the same.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NoReturn, TypeVar, cast

from flask import Flask, abort, current_app, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from advancia.core import context, log
from advancia.core.addresses import urlsplit_safely
from advancia.core.clock import utcnow
from advancia.core.context import Actor
from advancia.core.permissions import Permission, is_staff, permissions_of
from advancia.web import typed
from advancia.web.htmx import see_other

View = TypeVar("View", bound=Callable[..., Any])

CONFIRMED_FOR = timedelta(minutes=5)  # OWASP ASVS 5.0, 7.5.3: anew before what is most worth guarding

_log = log.logger(__name__)


class Access(StrEnum):
    PUBLIC = "public"  # anybody
    SIGNED_IN = "signed in"  # a customer or staff, about their own account
    CUSTOMER = "customer"  # a signed-in customer
    STAFF = "staff"  # staff with the permission that the route names, and a second factor
    MACHINE = "machine"  # a provider or a probe, which proves itself by other means than a session


def public(view: View) -> View:
    """Anybody may call this route."""
    return _declare(view, access=Access.PUBLIC)


def signed_in(view: View) -> View:
    """Whoever is signed in may call this route, customer or staff, about their own account."""
    return _declare(view, access=Access.SIGNED_IN)


def customer_required(view: View) -> View:
    """Only a signed-in customer may call this route; others are asked to sign in and come back."""
    return _declare(view, access=Access.CUSTOMER)


def staff_required(permission: Permission | None = None) -> Callable[[View], View]:
    """Only staff with that permission may call this route (any staff, without one), signed in by a second factor."""

    def declare(view: View) -> View:
        return _declare(view, access=Access.STAFF, permission=permission)

    return declare


def machine(view: View) -> View:
    """A program calls this route; the view itself checks what it brings, such as a signature."""
    return _declare(view, access=Access.MACHINE)


def confirmed(view: View) -> View:
    """Besides, the person must have proved within the last five minutes that it is they who sit there.

    Who has not is asked to, and comes back: to the page, or, from a form, to the page which the form stood on.
    """
    return _declare(view, confirmed=True)


def fully_confirmed(view: View) -> View:
    """As `confirmed`, by everything that the person has: the password, and a second factor if there is one.

    For what changes these themselves.
    """
    return _declare(view, confirmed=True, fully=True)


def access_of(view: Callable[..., Any] | None) -> Access | None:
    """What the view declares, or `None` if it forgot to."""
    return cast("Access | None", getattr(view, "access", None))


def permission_of(view: Callable[..., Any] | None) -> Permission | None:
    """The permission that the view asks staff for."""
    return cast("Permission | None", getattr(view, "permission", None))


def is_confirmed(view: Callable[..., Any] | None) -> bool:
    """Whether the view asks that the person has just proved who they are."""
    return bool(getattr(view, "confirmed", False))


def init_app(app: Flask) -> None:
    app.before_request(_guard)
    app.jinja_env.globals["may"] = may


def may(permission: Permission | str) -> bool:
    """Whether the person signed in has that permission; templates name it by its member's name."""
    wanted = permission if isinstance(permission, Permission) else Permission[permission]
    return current_user.is_authenticated and wanted in permissions_of(current_user.role)


def current_actor() -> Actor:
    """The signed-in person as the author of a change. Call it only in routes that require one."""
    return actor_here(current_user.id, current_user.role)


def actor_here(user_id: int, role: str) -> Actor:
    """That person as the author of what this request does, for routes which know them by other means than a session."""
    return Actor(user_id=user_id, role=role, address=request.remote_addr, request_id=context.request_id.get())


def home_url() -> str:
    """Where the person signed in begins: customers at their wallet, staff at their own pages."""
    return url_for("admin.home" if is_staff(current_user.role) else "wallet.home")


def recently_confirmed() -> bool:
    """Whether the person signed in has proved within the last five minutes that it is they who sit there.

    Whoever has a second factor, by that one.
    """
    return is_recent(
        current_user.second_factor_at if current_user.has_second_factor else current_user.confirmed_at
    )


def stale_since() -> datetime | None:
    """From when on the person's last proof of who they are was no longer fresh; `None`, if it still is."""
    if recently_confirmed():
        return None
    proved = current_user.second_factor_at if current_user.has_second_factor else current_user.confirmed_at
    return utcnow() - timedelta(days=1) if proved is None else proved + CONFIRMED_FOR


def recently_fully_confirmed() -> bool:
    """As `recently_confirmed`, by the password, and by a second factor of whoever has one."""
    proofs = [
        current_user.password_at,
        *([current_user.second_factor_at] if current_user.has_second_factor else []),
    ]
    return all(is_recent(at) for at in proofs)


def is_recent(at: datetime | None) -> bool:
    """Whether what was proved then still counts as fresh."""
    return at is not None and utcnow() - at < CONFIRMED_FOR


def ask_to_confirm(*, fully: bool = False) -> ResponseReturnValue:
    """Send the person to prove who they are, and from there back to this page, or to the one the form stood on."""
    return _send_to("factors.confirm", why="First prove that it is you.", **({"fully": "1"} if fully else {}))


def is_ours(path: str) -> bool:
    """Whether `path` is a page of ours, and nothing that a browser would take for another site."""
    return path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()


def _declare(view: View, **declared: object) -> View:
    for name, value in declared.items():
        setattr(view, name, value)
    return view


def _guard() -> ResponseReturnValue | None:
    if request.endpoint is None or request.endpoint == "static":
        return None
    view = current_app.view_functions.get(request.endpoint)
    declared = access_of(view)
    if declared is None:
        abort(403)
    return None if declared in (Access.PUBLIC, Access.MACHINE) else _signed_in_only(declared, view)


def _signed_in_only(declared: Access, view: Callable[..., Any] | None) -> ResponseReturnValue | None:
    if not current_user.is_authenticated:
        return _send_to("identity.login", why="You were signed out meanwhile.")
    if declared is Access.CUSTOMER and is_staff(current_user.role):
        deny()
    if declared is Access.STAFF and (answer := _staff_only(permission_of(view))) is not None:
        return answer
    return _confirmed_only(view) if is_confirmed(view) else None


def _confirmed_only(view: Callable[..., Any] | None) -> ResponseReturnValue | None:
    fully = bool(getattr(view, "fully", False))
    proved = recently_fully_confirmed() if fully else recently_confirmed()
    return None if proved else ask_to_confirm(fully=fully)


def _staff_only(permission: Permission | None) -> ResponseReturnValue | None:
    if not is_staff(current_user.role) or (permission and not may(permission)):
        deny(permission)
    if not current_user.has_second_factor:
        return see_other(url_for("factors.security"))
    return None if current_user.second_factor_at else ask_to_confirm()


def deny(permission: Permission | None = None) -> NoReturn:
    """Refuse, and write down who wanted what: the log has it, and whoever listens (the audit trail) is told."""
    _log.warning(
        "access_denied",
        user_id=current_user.id,
        role=current_user.role,
        permission=permission,
        route=str(request.url_rule),
    )
    if (note := current_app.extensions.get("note_denial")) is not None:
        note(current_actor(), request.path, permission)
    abort(403)


def _send_to(endpoint: str, *, why: str, **more: Any) -> ResponseReturnValue:
    """Send the person to that page, from where they come back; nothing of a form that they sent is lost."""
    typed.keep(
        otherwise=f"{why} Nothing was changed.", kept=f"{why} What you typed will be there afterwards."
    )
    return see_other(url_for(endpoint, next=page_here(), **more))


def page_here() -> str | None:
    """The address of the page on the screen: this one, or the one whose form was sent."""
    if request.method == "GET" and not request.headers.get("HX-Request"):
        return request.full_path.rstrip("?")
    shown = urlsplit_safely(request.headers.get("HX-Current-URL") or request.referrer or "")
    if shown.netloc != request.host or not is_ours(shown.path):
        return request.path if _has_page(request.path) else None
    return f"{shown.path}?{shown.query}" if shown.query else shown.path


def _has_page(path: str) -> bool:
    """Whether a form that is sent to `path` stands on a page of the same address."""
    adapter = current_app.create_url_adapter(request)
    return adapter is not None and adapter.test(path, "GET")
