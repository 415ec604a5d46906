"""Mail: over SMTP where an address is set, else as `.eml` files in a folder."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import smtplib
import ssl
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from advancia.config import Settings
from advancia.core.clock import utcnow
from advancia.core.errors import DomainError

ANSWER_SECONDS = 15.0
_PORTS = {"smtp": 587, "smtps": 465}
# One plain address: nothing that a header or SMTP could read as more than that.
_ADDRESS = re.compile(r"""[^\s"(),:;<>@\[\\\]]+@[^\s"(),:;<>@\[\\\]]+""")
_LONGEST_ADDRESS = 254
_BREAKS = {"Cc", "Zl", "Zp"}  # control characters, line and paragraph separators
_PERMANENT = 500


class MailError(DomainError):
    """A mail was not handed over."""


class MailUnavailable(MailError):
    """The mail server could not take it now: try again later."""

    def __init__(self, detail: str) -> None:
        super().__init__("We could not send the mail just now. We will try again.")
        self.detail = detail


class MailRefused(MailError):
    """This mail will never be taken as it is: do not try again."""

    def __init__(self, detail: str) -> None:
        super().__init__("The mail could not be delivered to that address.")
        self.detail = detail


@dataclass(frozen=True)
class Mail:
    """One mail to one person. `key` is the same on every try, so that a repeat can be recognised.

    Raises `MailRefused` for an address or a subject that would break out of its header.
    """

    to: str
    subject: str
    text: str
    html: str | None = None
    key: str = ""

    def __post_init__(self) -> None:
        if len(self.to) > _LONGEST_ADDRESS or not _ADDRESS.fullmatch(self.to) or _has_breaks(self.to):
            raise MailRefused("The recipient is not one plain address.")
        if _has_breaks(self.subject):
            raise MailRefused("The subject has a line break or a control character in it.")


class Mailer(Protocol):
    """Hands a mail over. Raises `MailUnavailable` (try again) or `MailRefused` (do not)."""

    def send(self, mail: Mail) -> None: ...


class FolderMailer:
    """Writes each mail as a file, which appears whole or not at all."""

    def __init__(self, folder: Path, *, sender: str, clock: Callable[[], datetime] = utcnow) -> None:
        self.folder = folder
        self._sender = sender
        self._clock = clock

    def send(self, mail: Mail) -> None:
        now = self._clock()
        name = f"{now:%Y%m%dT%H%M%S.%f}Z-{secrets.token_hex(4)}.eml"
        try:
            self._write(name, bytes(_message(mail, sender=self._sender, now=now)))
        except OSError as error:
            raise MailUnavailable(str(error)) from error

    def _write(self, name: str, content: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        unfinished = self.folder / f".{name}.part"
        # Mails hold codes and links that sign people in: nobody else on the machine is to read them.
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        unfinished.rename(self.folder / name)


class SmtpMailer:
    """Hands mails to the server at `smtp://user:password@host:587` or `smtps://…:465`.

    With `smtp://`, TLS is started when the server offers it, and insisted on when there is a password. The
    address may hold `%40` and the like in user and password.
    """

    def __init__(
        self,
        smtp_url: str,
        *,
        sender: str,
        clock: Callable[[], datetime] = utcnow,
        timeout: float = ANSWER_SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        parts = urlsplit(smtp_url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError("The address of the mail server must begin with smtp:// or smtps://.")
        self._scheme, self._host = parts.scheme, parts.hostname
        self._port = parts.port or _PORTS[parts.scheme]
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self._sender = sender
        self._clock = clock
        self._timeout = timeout
        self._tls = tls or ssl.create_default_context()

    def send(self, mail: Mail) -> None:
        message = _message(mail, sender=self._sender, now=self._clock())
        with self._connection() as server:
            _hand_over(server, message)

    @contextmanager
    def _connection(self) -> Iterator[smtplib.SMTP]:
        server = None
        try:
            server = self._connected()
        except (OSError, smtplib.SMTPException) as error:
            # A refused password is ours to mend and says nothing about this mail.
            raise MailUnavailable(_without_secrets(error)) from error
        try:
            yield server
        finally:
            # The mail is accepted or refused by now: a broken farewell must not make it a failure.
            with suppress(OSError, smtplib.SMTPException):
                server.quit()
            server.close()

    def _connected(self) -> smtplib.SMTP:
        if self._scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self._host, self._port, timeout=self._timeout, context=self._tls
            )
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=self._timeout)
        try:
            self._secured(server)
        except BaseException:
            server.close()
            raise
        return server

    def _secured(self, server: smtplib.SMTP) -> None:
        server.ehlo_or_helo_if_needed()
        if self._scheme == "smtp" and (self._user or server.has_extn("starttls")):
            server.starttls(context=self._tls)  # raises when the server does not offer it
        if self._user:
            server.login(self._user, self._password)


def mailer_from(settings: Settings) -> Mailer:
    """SMTP when its address is set, else the folder `mail` under the var folder."""
    if settings.smtp_url:
        return SmtpMailer(settings.smtp_url, sender=settings.mail_from)
    return FolderMailer(settings.var / "mail", sender=settings.mail_from)


def _hand_over(server: smtplib.SMTP, message: EmailMessage) -> None:
    try:
        server.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        code, words = next(iter(error.recipients.values()))
        raise _refusal(code, words) from error
    except smtplib.SMTPDataError as error:
        raise _refusal(error.smtp_code, error.smtp_error) from error
    except smtplib.SMTPNotSupportedError as error:  # letters beyond ASCII in the address
        raise MailRefused(str(error)) from error
    except (OSError, smtplib.SMTPException) as error:
        raise MailUnavailable(_without_secrets(error)) from error


def _refusal(code: int, words: bytes | str) -> MailError:
    text = words.decode(errors="replace") if isinstance(words, bytes) else words
    return (MailRefused if code >= _PERMANENT else MailUnavailable)(f"{code} {text}")


def _message(mail: Mail, *, sender: str, now: datetime) -> EmailMessage:
    message = EmailMessage(policy=SMTP_POLICY)
    message["From"] = sender
    message["To"] = mail.to
    message.set_raw("Subject", _written(mail.subject))
    message["Date"] = format_datetime(now)
    message["Message-ID"] = _message_id(mail.key, sender)
    message["Auto-Submitted"] = "auto-generated"  # so that nobody's absence notice answers it
    message.set_content(mail.text)
    if mail.html is not None:
        message.add_alternative(mail.html, subtype="html")
    return message


def _written(subject: str) -> str:
    """The subject as RFC 2047 wants it, folded, in one run of encoded words if it needs any.

    `EmailMessage` begins a new word at each fold and drops the blanks between two of them, which readers then do too.
    """
    charset = "ascii" if subject.isascii() and "=?" not in subject else "utf-8"
    return Header(subject, charset, header_name="Subject").encode(linesep="\r\n")


def _message_id(key: str, sender: str) -> str:
    """The same for the same key, so that mail programs show a repeat once."""
    name = hashlib.sha256(key.encode()).hexdigest()[:32] if key else secrets.token_hex(16)
    domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    return f"<{name}@{domain}>"


def _has_breaks(text: str) -> bool:
    return any(unicodedata.category(each) in _BREAKS for each in text)


def _without_secrets(error: Exception) -> str:
    """What went wrong, without the server's echo of what we sent to sign in."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"{error.smtp_code} The mail server refused the user or the password."
    return f"{type(error).__name__}: {error}"
