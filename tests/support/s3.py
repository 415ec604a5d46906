"""A server that speaks as much of S3 as backups use, over real HTTP, with credentials that may do this or that."""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

WRITER, READER = "AKIAWRITESONLY", "AKIAREADS"
PIECE = 1024 * 1024


@dataclass
class Bucket:
    """What the server keeps, and what is to go wrong."""

    objects: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, tuple[str, dict[int, bytes]]] = field(default_factory=dict)
    part_sizes: list[int] = field(default_factory=list)
    keeps_bytes: bool = True  # else only their number, for streams that no test wants in its memory
    refuses_after_parts: int | None = None
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bucket: Bucket

    def do_PUT(self) -> None:
        _key, query = self._asked()
        body = self._body()
        if not self._may("write"):
            return
        digest = hashlib.md5(body, usedforsecurity=False)
        if self.headers.get("Content-MD5") != base64.b64encode(digest.digest()).decode():
            self._refuse(
                400, "InvalidRequest", "Content-MD5 is required for Put Part requests with Object Lock."
            )
            return
        if (
            self.bucket.refuses_after_parts is not None
            and len(self.bucket.part_sizes) >= self.bucket.refuses_after_parts
        ):
            self._refuse(507, "InsufficientStorage", "The quota is used up.")
            return
        self.bucket.part_sizes.append(len(body))
        kept = body if self.bucket.keeps_bytes else b""
        self.bucket.uploads[query["uploadId"][0]][1][int(query["partNumber"][0])] = kept
        self._answer(200, headers={"ETag": f'"{digest.hexdigest()}"'})

    def do_POST(self) -> None:
        key, query = self._asked()
        body = self._body()
        if not self._may("write"):
            return
        if "uploads" in query:
            upload = f"upload-{len(self.bucket.uploads) + 1}"
            self.bucket.uploads[upload] = (key, {})
            self._answer(
                200,
                f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>",
            )
            return
        _, parts = self.bucket.uploads.pop(query["uploadId"][0])
        numbers = [int(each) for each in re.findall(rb"<PartNumber>(\d+)<", body)]
        self.bucket.objects[key] = b"".join(parts[number] for number in numbers)
        self._answer(200, "<CompleteMultipartUploadResult/>")

    def do_DELETE(self) -> None:
        key, query = self._asked()
        if "uploadId" in query:
            if self._may("write"):
                self.bucket.uploads.pop(query["uploadId"][0], None)
                self._answer(204)
        elif self._may("read"):
            self.bucket.objects.pop(key, None)
            self._answer(204)

    def do_GET(self) -> None:
        key, query = self._asked()
        if not self._may("read"):
            return
        if "uploads" in query:
            told = "".join(
                f"<Upload><Key>{name}</Key><UploadId>{upload}</UploadId></Upload>"
                for upload, (name, _) in self.bucket.uploads.items()
            )
            self._answer(200, f"<ListMultipartUploadsResult>{told}</ListMultipartUploadsResult>")
        elif key in self.bucket.objects:
            self._answer(200, self.bucket.objects[key])
        else:
            self._refuse(404, "NoSuchKey", "The specified key does not exist.")

    def _asked(self) -> tuple[str, dict[str, list[str]]]:
        parts = urlsplit(self.path)
        return unquote(parts.path).split("/", 2)[2] if parts.path.count("/") > 1 else "", parse_qs(
            parts.query, keep_blank_values=True
        )

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _may(self, what: str) -> bool:
        who = READER if what == "read" else WRITER
        if f"Credential={who}/" in self.headers.get("Authorization", ""):
            return True
        self._refuse(403, "AccessDenied", "Access Denied")
        return False

    def _refuse(self, status: int, code: str, message: str) -> None:
        self._answer(status, f"<Error><Code>{code}</Code><Message>{message}</Message></Error>")

    def _answer(self, status: int, body: str | bytes = b"", headers: dict[str, str] | None = None) -> None:
        sent = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in {"Content-Length": str(len(sent)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    """A running server with one bucket, `backups`."""
    made = Bucket()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"bucket": made}))
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()
