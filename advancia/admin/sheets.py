"""Tables as CSV, which a spreadsheet takes for text and never for a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from flask import Response, stream_with_context

from advancia.ledger.export_formats import FORMULA_BEGINS


def download(name: str, heading: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """A file of those rows, written while they are read. The first is read at once: what fails there is a page yet."""
    coming = iter(rows)
    first = list(islice(coming, 1))
    response = Response(stream_with_context(_written(heading, chain(first, coming))), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def cell(value: object) -> object:
    """A text that begins like a formula, or with a quote, gets a quote before it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_BEGINS) else value


def _written(heading: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(heading)
    for row in rows:
        writer.writerow([cell(value) for value in row])
        yield _taken(buffer)
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
