"""A way to PostgreSQL that is cut at the moment when psql commits."""

from __future__ import annotations

import select
import socket
import socketserver
import threading
from pathlib import Path

COMMIT = b"commit;\0"  # as psql writes it; what our own code commits is in capitals


class CutLine:
    """Cut before PostgreSQL hears the commit, or after it has answered (`is_heard`).

    The next connection gets through again, unless it is `for_good`.
    """

    def __init__(self, sockets: Path, *, is_heard: bool, for_good: bool = False) -> None:
        self._server_at = str(sockets / ".s.PGSQL.5432")
        self._is_heard = is_heard
        self._for_good = for_good
        self.is_cut = False
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def url(self, user: str, database: str) -> str:
        port = self._server.server_address[1]
        return f"postgresql://{user}@127.0.0.1:{port}/{database}?sslmode=disable&gssencmode=disable"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[socketserver.BaseRequestHandler]:
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                if not (outer.is_cut and outer._for_good):
                    outer._carry(self.request)

        return Handler

    def _carry(self, client: socket.socket) -> None:
        with socket.socket(socket.AF_UNIX) as server:
            server.connect(self._server_at)
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    piece = ready.recv(65536)
                    if not piece:
                        return
                    if ready is client and COMMIT in piece and not self.is_cut:
                        self._cut(server, piece)
                        return
                    (server if ready is client else client).sendall(piece)

    def _cut(self, server: socket.socket, piece: bytes) -> None:
        if self._is_heard:
            server.sendall(piece)
            server.recv(1024)  # so it is committed
        self.is_cut = True
