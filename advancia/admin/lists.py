"""Lists of staff: pages by keyset, filters in the address, nothing else in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Generic, TypeVar

from flask import request, url_for
from flask_wtf import FlaskForm

from advancia.web.forms import options

Row = TypeVar("Row")

PAGE_SIZE = 50
PROVIDERS = options(
    ("", "All"),
    ("stripe", "Stripe"),
    ("cryptomus", "Cryptomus"),
    ("sandbox", "Sandbox card"),
    ("sandbox_crypto", "Sandbox crypto"),
)
LONGEST_CURSOR = 18  # digits: below what the database holds


@dataclass(frozen=True)
class Listing(Generic[Row]):
    """One page of a list, newest first, with the addresses of its neighbours."""

    rows: Sequence[Row]
    filtered: bool
    older_url: str | None
    newest_url: str | None
    here: str


class Filters(FlaskForm):  # type: ignore[misc]
    """A form sent by GET. What makes no sense is shown with its error, and left out."""

    class Meta:
        csrf = False

    def good(self, name: str) -> Any:
        """What a field holds, or `None` when it is empty or makes no sense."""
        field = self[name]
        return None if field.errors else field.data or None

    def filled(self) -> dict[str, str]:
        """The filters as the address has them."""
        return {name: value for name in self._fields if (value := request.args.get(name, "").strip())}


def before_here() -> int | None:
    """The cursor that the address names; anything else than a number is taken for none."""
    written = request.args.get("before", "")
    is_number = written.isascii() and written.isdecimal() and len(written) <= LONGEST_CURSOR
    return int(written) if is_number else None


def listed(
    rows: Sequence[Row], *, older: int | None, form: Filters, endpoint: str | None = None
) -> Listing[Row]:
    """The page of a list at this address; `older` is the cursor behind it.

    `endpoint` is that of the list, where its page may also be the answer to a form sent elsewhere.
    """
    kept, endpoint = form.filled(), endpoint or request.endpoint or ""
    return Listing(
        rows=rows,
        filtered=bool(kept),
        older_url=_address(endpoint, kept, before=older) if older is not None else None,
        newest_url=_address(endpoint, kept) if "before" in request.args else None,
        here=_address(endpoint, {}),
    )


def start_of(day: date | None) -> datetime | None:
    """The first moment of that day (UTC)."""
    return datetime.combine(day, time(), UTC) if day else None


def end_of(day: date | None) -> datetime | None:
    """The first moment after that day (UTC)."""
    return start_of(day + timedelta(days=1)) if day and day < date.max else None


def _address(endpoint: str, kept: dict[str, str], **more: int) -> str:
    return url_for(endpoint, **{**(request.view_args or {}), **kept, **more})
