"""Pages for what went wrong: what happened, what to do, and a reference that leads to the log."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from flask import Flask, Response, g, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_limiter import RateLimitExceeded
from flask_login import AnonymousUserMixin
from flask_wtf.csrf import CSRFError
from sqlalchemy import exc
from werkzeug.exceptions import HTTPException

from advancia.core import context, log
from advancia.core.errors import Busy, DomainError, LimitReached, NotFound, in_words
from advancia.web import access, csrf, htmx, limits, typed

REFERENCE_LENGTH = 12
RETRY_SECONDS = 5

_log = log.logger(__name__)


@dataclass(frozen=True)
class Words:
    """What an error page says, and where its button leads: an endpoint, and the words on it.

    `is_planned`: it is no failure of ours, so that the page stands under the usual header and shows no number.
    """

    title: str
    message: str
    leads_to: tuple[str, str] = ("public.home", "Go to the front page")
    is_planned: bool = False


WORDS = {
    400: Words(
        "We could not read that", "The request was not complete. Nothing was changed. Go back and try again."
    ),
    403: Words(
        "This page is not open to you",
        "Your account may not use it. If you think it should, write to support.",
    ),
    404: Words(
        "We could not find that", "The address may be mistyped, or what was here may not be yours to see."
    ),
    405: Words(
        "That is not how this page works", "Nothing was changed. Go back and use the button on the page."
    ),
    413: Words("That is too large", "What you sent is larger than we take. Nothing was changed."),
    429: Words("Too many tries", "Wait a little, then try again."),
    500: Words(
        "Something went wrong on our side",
        "What you asked for was done either wholly or not at all. Look whether it was, then try again; "
        "if this happens again, send us the reference below.",
    ),
    503: Words(
        "We will be right back",
        "A part that we need is not answering. What you asked for was done either wholly or not at all. "
        "Look whether it was once we are back, then try again.",
    ),
}
STALE_FORM = Words(
    "This form has been open for too long",
    "Nothing was changed. Open the page again, and what you type will be taken.",
)

STALE_BUTTON = "This page had been open for too long, so nothing was changed. Press the button again."
STALE_TYPED = "This form had been open for too long, so nothing was changed."


def init_app(app: Flask) -> None:
    app.register_error_handler(NotFound, lambda error: _answer(404, Words(WORDS[404].title, str(error))))
    app.register_error_handler(
        DomainError, lambda error: _answer(409, Words("That did not work", str(error)))
    )
    app.register_error_handler(Busy, _busy)
    app.register_error_handler(LimitReached, _limit_reached)
    app.register_error_handler(CSRFError, _stale_form)
    app.register_error_handler(RateLimitExceeded, _too_many)
    app.register_error_handler(HTTPException, _http_error)
    for unreachable in (exc.OperationalError, exc.InterfaceError, exc.TimeoutError):
        app.register_error_handler(unreachable, _without_database)
    app.register_error_handler(Exception, _unexpected)


def reference() -> str:
    """The start of the request's id, which is all that a person has to read out."""
    return (context.request_id.get() or "")[:REFERENCE_LENGTH]


def _http_error(error: HTTPException) -> Response:
    if (
        error.code is not None and error.code < HTTPStatus.BAD_REQUEST
    ):  # a redirect that Werkzeug makes by raising
        return make_response(error.get_response())
    status = error.code or 500
    response = _answer(
        status, WORDS.get(status, WORDS[400] if status < HTTPStatus.INTERNAL_SERVER_ERROR else WORDS[500])
    )
    response.headers.extend((name, value) for name, value in error.get_headers() if name != "Content-Type")
    return response


def _stale_form(_error: CSRFError) -> ResponseReturnValue:
    """Back to the page of the form with what was typed; but what no button of a page of ours has sent ends here."""
    page = access.page_here()
    if page is None or not typed.came_from_here() or csrf.is_asked_by_a_field():
        return _answer(400, STALE_FORM)
    typed.keep(otherwise=STALE_BUTTON, kept=STALE_TYPED)
    return htmx.see_other(page)


def _too_many(breach: RateLimitExceeded) -> Response:
    wait = limits.true_wait(breach)
    return _limit_reached(LimitReached(f"Wait {in_words(wait)}, then try again.", wait))


def _limit_reached(refusal: LimitReached) -> Response:
    return limits.come_back(_answer(429, Words(WORDS[429].title, str(refusal))), refusal)


def come_back_later(words: Words, *, seconds: int = RETRY_SECONDS) -> Response:
    """A 503 in these words, which tells programs as well when to ask again."""
    response = _answer(503, words)
    response.headers["Retry-After"] = str(seconds)
    return response


def _busy(error: Busy) -> Response:
    return come_back_later(Words("We are busy", str(error)))


def _without_database(error: Exception) -> Response:
    """Not answering, or no connection to be had: nothing is wrong with the request, which may come again."""
    _log.error("database_unreachable", exc_info=error, route=_route())
    return come_back_later(WORDS[503])


def _unexpected(error: Exception) -> Response:
    _log.error("unexpected_error", exc_info=error, route=_route())
    return _answer(500, WORDS[500])


def _route() -> str | None:
    return str(request.url_rule) if request.url_rule else None


def _answer(status: int, words: Words) -> Response:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and not words.is_planned:
        _forget_visitor()
    try:
        return _alert(status, words) if htmx.is_htmx() else _page(status, words)
    except Exception as error:  # noqa: BLE001 - the layout may need the very part that has failed
        _log.error("error_page_failed", exc_info=error)
        plain = f"{words.title}. {words.message} Reference: {reference()}"
        return Response(plain, status=status, mimetype="text/plain")


def _forget_visitor() -> None:
    """Every template is told who the visitor is, which would ask the database, and so fail again, if it is that."""
    g._login_user = AnonymousUserMixin()  # noqa: SLF001 - where Flask-Login looks, and offers no other way


def _alert(status: int, words: Words) -> Response:
    message = f"{words.title}. {words.message}"
    retry = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    alert = render_template("errors/alert.html", message=message, reference=reference(), retry=retry)
    return htmx.alert(make_response(alert, status))


def _page(status: int, words: Words) -> Response:
    endpoint, action_words = words.leads_to
    page = render_template(
        "errors/error.html",
        title=words.title,
        message=words.message,
        is_failure=status >= HTTPStatus.INTERNAL_SERVER_ERROR and not words.is_planned,
        number=None if words.is_planned else status,
        reference=None if words.is_planned else reference(),
        action_url=url_for(endpoint),
        action_words=action_words,
    )
    return make_response(page, status)
