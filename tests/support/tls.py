"""TLS for tests: certificates of an authority of their own, and a proxy that ends it before a plain server."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from advancia.core.clock import utcnow

DROPPED = {"connection", "keep-alive", "transfer-encoding", "content-length"}  # they are of one hop alone


@dataclass(frozen=True)
class Certificate:
    """A certificate with its key in one file; it is its own authority."""

    file: Path

    def for_server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file)
        return context

    def trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.file)


@pytest.fixture(scope="session")
def certificate_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Certificate]:
    """Make a certificate: `certificate_of("pay.launched.net", days=30)`."""

    def make(name: str, *, days: int) -> Certificate:
        key = ec.generate_private_key(ec.SECP256R1())
        named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        ends = utcnow() + timedelta(days=days, hours=1)
        made = (
            x509.CertificateBuilder(named, named, key.public_key(), x509.random_serial_number())
            .not_valid_before(ends - timedelta(days=90))
            .not_valid_after(ends)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        file = tmp_path_factory.mktemp("tls") / "both.pem"
        file.write_bytes(secret + made.public_bytes(pem))
        return Certificate(file)

    return make


@pytest.fixture
def tls_proxy() -> Iterator[Callable[[Certificate, str], int]]:
    """End TLS before the plain server at `url`: `tls_proxy(certificate, url)` gives the port."""
    running: list[ThreadingHTTPServer] = []

    def start(certificate: Certificate, url: str) -> int:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(url))
        server.socket = certificate.for_server().wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        running.append(server)
        return server.server_port

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def _handler(url: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name: value for name, value in self.headers.items() if name.lower() not in DROPPED}
            forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "9.9.9.9"}
            answer = httpx.request(
                self.command, url + self.path, content=body, headers={**headers, **forwarded}, timeout=30
            )
            self.send_response_only(answer.status_code)
            for name, value in answer.headers.multi_items():
                if name.lower() not in (*DROPPED, "content-encoding"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_POST = do_GET  # noqa: N815 - as above

        def log_message(self, *_args: object) -> None:
            """Nothing."""

    return Handler
