"""A browser without scripts, for the launch check: opens pages, fills in their forms, and presses the button."""

from __future__ import annotations

from html.parser import HTMLParser
from types import TracebackType
from typing import Self
from urllib.parse import urljoin

import httpx

CHECKED = ("checkbox", "radio")
NOT_SENT = ("submit", "button", "file", "image", "reset")


class FormNotFound(Exception):
    """The page has no form that could be filled in like that."""


class Browser:
    """One visitor: their cookies and where they are."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._client.close()

    def open(self, address: str) -> httpx.Response:
        return self._client.get(address)

    def submit(self, address: str, **typed: str) -> httpx.Response:
        """Open the page, fill in its first form that has all these fields, and send it. Raises `FormNotFound`."""
        return self.fill_in(self.open(address), **typed)

    def fill_in(self, page: httpx.Response, **typed: str) -> httpx.Response:
        """As `submit`, on a page that was opened before."""
        for form in _forms_of(page.text):
            if typed.keys() <= form.names and form.method == "post":
                return self.send(urljoin(str(page.url), form.action), {**form.fields, **typed})
        raise FormNotFound(
            f"{page.url.path} answered {page.status_code} and has no form with {', '.join(typed)}."
        )

    def send(self, address: str, fields: dict[str, str]) -> httpx.Response:
        return self._client.post(address, data=fields)

    def sign_out(self) -> None:
        """Press the button that every page of somebody who is signed in has; nothing, where there is none."""
        page = self.open("/wallet")
        for form in _forms_of(page.text):
            if form.action.endswith("/logout"):
                self.send(form.action, form.fields)
                return


class _Form:
    def __init__(self, attributes: dict[str, str]) -> None:
        self.action = attributes.get("action", "")
        self.method = attributes.get("method", "get").lower()
        self.names: set[str] = set()
        self.fields: dict[str, str] = {}

    def take(self, tag: str, attributes: dict[str, str]) -> None:
        name, kind = attributes.get("name"), attributes.get("type", "")
        if not name or kind in NOT_SENT or tag == "button":
            return
        self.names.add(name)
        if kind not in CHECKED or "checked" in attributes:
            self.fields[name] = attributes.get("value", "on" if kind in CHECKED else "")


class _Forms(HTMLParser):
    """The forms of a page, with what they would send as they stand. What a select has chosen is left to the caller."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[_Form] = []
        self._open: _Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = _Form(attributes)
            self.found.append(self._open)
        elif self._open is not None and tag in ("input", "select", "textarea", "button"):
            self._open.take(tag, attributes)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None


def _forms_of(html: str) -> list[_Form]:
    parser = _Forms()
    parser.feed(html)
    return parser.found
