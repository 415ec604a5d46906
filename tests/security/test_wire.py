"""What comes over the wire as no browser would send it, to the real web server."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.slow

HOST = b"Host: localhost\r\n"
CLOSE = b"Connection: close\r\n"


@pytest.fixture
def wire(product):
    """Send these bytes; the lines of the answers that came, until the server hung up or was silent for a while."""
    parts = urlsplit(product.url)

    def send(sent):
        heard = b""
        with socket.create_connection((parts.hostname, parts.port), timeout=5) as line:
            line.sendall(sent)
            line.settimeout(2)
            try:
                while more := line.recv(65_536):
                    heard += more
            except TimeoutError:
                pass
        return heard.decode("latin-1").split("\r\n")

    return send


def statuses(lines):
    return [line.split(" ")[1] for line in lines if line.startswith("HTTP/1")]


def test_a_second_request_cannot_hide_in_the_body_of_the_first(wire):
    hidden = b"GET /health HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n"
    both = b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"
    lines = wire(b"POST /login HTTP/1.1\r\n" + HOST + both + b"\r\n0\r\n\r\n" + hidden)

    assert len(statuses(lines)) <= 1 or statuses(lines)[0] in ("400", "422")
    lengths = b"Content-Length: 0\r\nContent-Length: 40\r\n"
    assert statuses(wire(b"POST /login HTTP/1.1\r\n" + HOST + lengths + b"\r\n" + hidden)) in (["400"], [])


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /login HTTP/1.0\r\n\r\n", "400"),
        (b"GET /health HTTP/1.1\r\n" + HOST + b"X-A: a\0b\r\n" + CLOSE + b"\r\n", "400"),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", "414"),
        (b"TRACE /login HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n", "405"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "400"),
    ],
    ids=["no host", "a NUL", "a long address", "TRACE", "TLS"],
)
def test_what_is_no_request_is_refused(wire, sent, status):
    assert statuses(wire(sent)) == [status]


def test_the_server_says_our_name_and_no_version(wire):
    lines = wire(b"GET /health HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n")

    assert [line for line in lines if line.lower().startswith("server:")] == ["server: Advancia"]
