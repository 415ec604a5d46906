"""A mail server within reach of a test."""

from __future__ import annotations

import contextlib
import re
import socketserver
import ssl
import threading


class SmtpServer:
    """As much of a mail server as a client needs. `replies` overrides the reply to a command by its verb."""

    def __init__(self, tls: ssl.SSLContext | None = None, *, wrapped: bool = False) -> None:
        self.replies: dict[str, str] = {}
        self.extensions = ["8BITMIME"]
        self.offers_starttls = tls is not None and not wrapped
        self.tls = tls
        self.wrapped = wrapped
        self.heard: list[str] = []
        self.encrypted: list[str] = []
        self.mails: list[bytes] = []
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.port = self._server.server_address[1]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[socketserver.BaseRequestHandler]:
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    Conversation(outer, self.request).run()

        return Handler


class Conversation:
    def __init__(self, server: SmtpServer, connection) -> None:
        self.server = server
        self.is_encrypted = False
        self.connection = connection
        if server.wrapped:
            self._encrypt()
        self.lines = self.connection.makefile("rb")

    def run(self) -> None:
        self._say("220 mail.example")
        while line := self.lines.readline().decode().strip():
            verb = re.split(r"[ :]", line)[0].upper()
            self.server.heard.append(line)
            if self.is_encrypted:
                self.server.encrypted.append(verb)
            reply = self.server.replies.get(verb)
            if reply == "drop":
                return self.connection.close()
            self._say(reply) if reply else self._usual(verb)
            if verb == "QUIT":
                return None
        return None

    def _usual(self, verb: str) -> None:
        if verb == "EHLO":
            more = ["STARTTLS"] if self.server.offers_starttls and not self.is_encrypted else []
            names = ["mail.example", *self.server.extensions, *more, "AUTH PLAIN"]
            self._say("\r\n".join([*(f"250-{name}" for name in names[:-1]), f"250 {names[-1]}"]))
        elif verb == "STARTTLS":
            self._say("220 go on")
            self._encrypt()
            self.lines = self.connection.makefile("rb")
        elif verb == "AUTH":
            self._say("235 welcome")
        elif verb == "DATA":
            self._data()
        else:
            self._say("221 bye" if verb == "QUIT" else "250 fine")

    def _data(self) -> None:
        self._say("354 go on")
        lines = []
        while (line := self.lines.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        reply = self.server.replies.get("BODY", "250 taken")
        if reply == "drop":
            raise ConnectionError
        if reply.startswith("2"):
            self.server.mails.append(b"".join(lines))
        self._say(reply)

    def _encrypt(self) -> None:
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.is_encrypted = True

    def _say(self, text: str) -> None:
        self.connection.sendall(f"{text}\r\n".encode())
