"""A browser without scripts: real routes, real forms, real CSRF tokens, and answers that can be searched."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from html import unescape
from typing import Any, Protocol

import httpx
from bs4 import BeautifulSoup, Tag
from flask import Flask

from advancia.core.db import unit_of_work
from advancia.identity.sessions import services as sessions
from advancia.web import typed


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    html: str

    @property
    def text(self) -> str:
        return " ".join(self.soup.get_text(" ").split())

    @cached_property
    def soup(self) -> BeautifulSoup:
        return BeautifulSoup(self.html, "html.parser")

    @property
    def location(self) -> str:
        """Where a redirect leads, for browsers and htmx alike."""
        return self.headers.get("Location") or self.headers["HX-Redirect"]

    def all(self, selector: str) -> list[Tag]:
        return self.soup.select(selector)

    def one(self, selector: str) -> Tag:
        found = self.all(selector)
        assert len(found) == 1, f"{len(found)} elements are {selector} in:\n{self.html}"
        return found[0]


class Transport(Protocol):
    """Sends a request with this browser's cookies, without following redirects."""

    def send(self, method: str, path: str, data: Any, headers: dict[str, str]) -> Answer: ...


class InProcess:
    """Straight into the application."""

    def __init__(self, app: Flask) -> None:
        self.client = app.test_client()
        # Every browser comes from somewhere else, so that limits by address do not mix tests.
        address = ".".join(str(random.randint(1, 254)) for _ in range(3))
        self.client.environ_base["REMOTE_ADDR"] = f"10.{address}"

    def send(self, method: str, path: str, data: Any, headers: dict[str, str]) -> Answer:
        raw = self.client.open(path, method=method, data=data, headers=headers)
        return Answer(raw.status_code, raw.headers, raw.get_data(as_text=True))


class OverHttp:
    """Over the network, to a product that runs in processes of its own."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=30, limits=httpx.Limits(max_connections=100))

    def send(self, method: str, path: str, data: Any, headers: dict[str, str]) -> Answer:
        raw = self.client.request(method, path, data=data, headers=headers)
        return Answer(raw.status_code, raw.headers, raw.text)


class Page:
    """One browser: its cookies, its address, and the CSRF token of the last form that it saw."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.csrf_token = ""

    def get(
        self, path: str, *, htmx_target: str | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        return self._seen("GET", path, None, _headers(htmx_target, headers))

    def post(
        self,
        path: str,
        data: dict[str, Any] | None = None,
        *,
        htmx_target: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send a form as it would be sent from the page that was last seen."""
        sent = {"csrf_token": self.csrf_token, **(data or {})}
        return self._seen("POST", path, sent, _headers(htmx_target, headers))

    def submit(self, path: str, form: str = "main form", **typed: str) -> Answer:
        """Open the page, fill in its first form that `form` selects, and press the button."""
        opened = self.get(path)
        assert opened.status == 200, f"{path} answered {opened.status}: {opened.text}"
        return self.submit_form(opened, form, **typed)

    def submit_form(self, answer: Answer, form: str = "main form", **typed: str) -> Answer:
        """Fill in the form on the page that `answer` brought, and press its button."""
        element = answer.all(form)[0]
        fields = {**filled_in(element), **typed}
        return self._seen("POST", str(element["action"]), fields, {})

    def follow(self, answer: Answer) -> Answer:
        return self.get(answer.location)

    def _seen(self, method: str, path: str, data: Any, headers: dict[str, str]) -> Answer:
        answer = self.transport.send(method, path, data, headers)
        if token := _token_in(answer.html):
            self.csrf_token = token
        return answer


def _token_in(page: str) -> str | None:
    """The CSRF token of the first form that has one, without reading the rest of the page for it."""
    field = re.search(r"""<input\b[^>]*\bname=["']csrf_token["'][^>]*>""", page)
    value = re.search(r"""\bvalue=["']([^"']*)["']""", field[0]) if field else None
    return unescape(value[1]) if value else None


def filled_in(form: Tag) -> dict[str, str]:
    """What the form would send as it stands."""
    fields: dict[str, str] = {}
    for field in form.select("input[name], select[name], textarea[name], button[name]"):
        name, kind = str(field["name"]), field.get("type")
        if field.name == "select":
            chosen = field.select_one("option[selected]") or field.select_one("option")
            fields[name] = str(chosen["value"]) if chosen else ""
        elif kind in ("checkbox", "radio"):
            if field.has_attr("checked"):
                fields[name] = str(field.get("value", "on"))
        elif field.name == "textarea":
            fields[name] = field.get_text().removeprefix("\r").removeprefix("\n")  # as browsers read it
        elif field.name == "input":
            fields[name] = str(field.get("value", ""))
    return fields


def _headers(htmx_target: str | None, more: dict[str, str] | None) -> dict[str, str]:
    """What htmx 4 sends when it targets `form#transfer-form`."""
    if htmx_target is None:
        return more or {}
    return {"HX-Request": "true", "HX-Request-Type": "partial", "HX-Target": htmx_target, **(more or {})}


def sign_in(page: Page, customer: Any) -> Page:
    """Sign the customer in through the form."""
    answer = page.submit("/login", email=customer.email, password=customer.password)
    assert answer.status == 303, answer.text
    return page


def adopt_session(page: Page, app: Flask, person: Any) -> Page:
    """Give this browser a session in which the person has proved a second factor, without the way through the pages."""
    with app.app_context(), unit_of_work() as session:
        token = sessions.start(
            session,
            user_id=person.id,
            address="10.0.0.1",
            user_agent="A browser for tests",
            second_factor=True,
        )
    assert isinstance(page.transport, InProcess)
    with page.transport.client.session_transaction() as cookie:
        cookie["_user_id"] = token
        with app.app_context():
            cookie[typed.PERSON] = typed.mark_of(person.id)
    return page
