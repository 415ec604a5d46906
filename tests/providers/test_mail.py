"""Mail is handed over once, whole, to one address; or it is told why not."""

from __future__ import annotations

import base64
import re
import shutil
import socketserver
import ssl
import stat
import subprocess
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from pathlib import Path

import pytest

from advancia.config import load_settings
from advancia.providers.mail import (
    FolderMailer,
    Mail,
    MailRefused,
    MailUnavailable,
    SmtpMailer,
    mailer_from,
)
from tests.support.smtp import SmtpServer

SENDER = "Advancia <no-reply@pay.example>"
NOW = datetime(2026, 3, 1, 12, 30, 15, 42, tzinfo=UTC)
MAIL = Mail(
    to="amara@demo.example",
    subject="Your code is 123456 — Zoë",
    text="Hello Zoë,\n.a line that begins with a point\n" + "long " * 100,
    html="<p>Hello Zoë</p>",
    key="outbox:17",
)


@pytest.fixture
def smtp():
    server = SmtpServer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is needed to make a certificate for the tests of encrypted mail")
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", file, "-out", f"{file}.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    file.write_text(file.read_text() + Path(f"{file}.crt").read_text())
    return file


@pytest.fixture(params=["smtp", "smtps"])
def tls_smtp(request, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = SmtpServer(context, wrapped=request.param == "smtps")
    server.scheme = request.param
    server.trusted = ssl.create_default_context(cafile=certificate)
    yield server
    server.close()


def mailer_to(server, *, scheme="smtp", login="", **options):
    url = f"{scheme}://{login}127.0.0.1:{server.port}"
    return SmtpMailer(url, sender=SENDER, clock=lambda: NOW, **{"timeout": 5, **options})


def read(raw: bytes):
    return message_from_bytes(raw, policy=policy.default)


def test_a_mail_arrives_with_both_its_texts_as_they_were_written(smtp):
    mailer_to(smtp).send(MAIL)
    [raw] = smtp.mails
    mail = read(raw)

    assert (mail["From"], mail["To"], mail["Subject"]) == (SENDER, MAIL.to, MAIL.subject)
    assert mail["Date"].datetime == NOW.replace(microsecond=0)
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_body(("plain",)).get_content().split() == MAIL.text.split()
    assert mail.get_body(("html",)).get_content().strip() == MAIL.html
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert smtp.heard[1].startswith("mail FROM:<no-reply@pay.example>")
    assert smtp.heard[2] == "rcpt TO:<amara@demo.example>"


def test_a_repeat_of_the_same_mail_carries_the_same_id_and_another_mail_another(smtp):
    mailer = mailer_to(smtp)
    for key in ("outbox:17", "outbox:17", "outbox:18", "", ""):
        mailer.send(Mail(to="a@b.example", subject="s", text="t", key=key))
    first, repeat, other, unnamed, unnamed_too = [read(raw)["Message-ID"] for raw in smtp.mails]

    assert first == repeat
    assert len({first, other, unnamed, unnamed_too}) == 4
    assert re.fullmatch(r"<[0-9a-f]{32}@pay\.example>", first)


@pytest.mark.parametrize("where", ["RCPT", "DATA", "BODY"])
def test_a_permanent_no_is_a_refusal_and_a_passing_one_is_tried_again(smtp, where):
    smtp.replies[where] = "550 no such user"
    with pytest.raises(MailRefused) as refusal:
        mailer_to(smtp).send(MAIL)
    assert "550 no such user" in refusal.value.detail

    smtp.replies[where] = "451 come back later"
    with pytest.raises(MailUnavailable):
        mailer_to(smtp).send(MAIL)
    assert smtp.mails == []


@pytest.mark.parametrize("where", ["EHLO", "MAIL", "RCPT", "DATA", "BODY"])
def test_a_connection_that_breaks_is_tried_again(smtp, where):
    smtp.replies[where] = "drop"
    if where == "EHLO":
        smtp.replies["HELO"] = "drop"
    with pytest.raises(MailUnavailable):
        mailer_to(smtp).send(MAIL)


@pytest.mark.parametrize("farewell", ["drop", "500 what"])
def test_once_taken_a_mail_is_sent_however_the_farewell_goes(smtp, farewell):
    smtp.replies["QUIT"] = farewell
    mailer_to(smtp).send(MAIL)

    assert len(smtp.mails) == 1


def test_a_server_that_is_not_there_or_does_not_speak_is_tried_again(smtp):
    smtp.close()
    with pytest.raises(MailUnavailable):
        mailer_to(smtp).send(MAIL)

    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as silent, \
            pytest.raises(MailUnavailable):  # fmt: skip
        SmtpMailer(f"smtp://127.0.0.1:{silent.server_address[1]}", sender=SENDER, timeout=0.2).send(MAIL)


def test_a_password_is_never_sent_in_clear(smtp):
    with pytest.raises(MailUnavailable):
        mailer_to(smtp, login="me:secret@").send(MAIL)

    assert not any("AUTH" in line for line in smtp.heard)
    assert smtp.mails == []


def test_with_tls_sign_in_and_mail_are_encrypted(tls_smtp):
    mailer_to(tls_smtp, scheme=tls_smtp.scheme, login="me%40x:s%3Acret@", tls=tls_smtp.trusted).send(MAIL)
    [auth] = [line for line in tls_smtp.heard if line.startswith("AUTH PLAIN ")]

    assert base64.b64decode(auth.split()[2]) == b"\0me@x\0s:cret"
    assert {"AUTH", "MAIL", "RCPT", "DATA"} <= set(tls_smtp.encrypted)
    assert len(tls_smtp.mails) == 1


def test_tls_is_used_without_a_password_as_well_where_it_is_offered(tls_smtp):
    mailer_to(tls_smtp, scheme=tls_smtp.scheme, tls=tls_smtp.trusted).send(MAIL)

    assert "MAIL" in tls_smtp.encrypted


def test_a_certificate_that_nobody_vouches_for_is_not_accepted(tls_smtp):
    with pytest.raises(MailUnavailable):
        mailer_to(tls_smtp, scheme=tls_smtp.scheme).send(MAIL)
    assert tls_smtp.mails == []


def test_a_refused_password_is_ours_to_mend_and_does_not_reach_the_log(tls_smtp):
    tls_smtp.replies["AUTH"] = "535 no: me secret"
    with pytest.raises(MailUnavailable) as trouble:
        mailer_to(tls_smtp, scheme=tls_smtp.scheme, login="me:secret@", tls=tls_smtp.trusted).send(MAIL)
    assert "secret" not in trouble.value.detail


@pytest.mark.parametrize("port", [("smtp", 587), ("smtps", 465)])
def test_the_usual_ports_are_known(port):
    assert SmtpMailer(f"{port[0]}://mail.example", sender=SENDER)._port == port[1]


def test_an_address_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="smtp://"):
        SmtpMailer("http://mail.example", sender=SENDER)


@pytest.mark.parametrize(
    "to",
    [
        "",
        "amara",
        "a@b.example\nBcc: c@d.example",
        "a@b.example\r",
        "a@b.example, c@d.example",
        "A <a@b.example>",
        "a@b.example>",
        "a b@c.example",
        "a@b@c.example",
        "a\u2028@b.example",
        "a\x00@b.example",
        "x" * 250 + "@b.ex",
    ],
)
def test_only_one_plain_address_is_a_recipient(to):
    with pytest.raises(MailRefused):
        Mail(to=to, subject="s", text="t")


NAME = "José Peña Ünïcode 🦊 von und zu der langen Straße"


@pytest.mark.parametrize(
    "subject",
    [
        "You sent 12.34 USD",
        "A word " * 40 + "and an end",
        f"{NAME} has sent you 12.34 USD",
        f"{'a' * 60} {NAME} has sent you 12.34 USD",
        f"{NAME} {NAME} {NAME}",
        "Zoë =?utf-8?q?riddle?=",
        "A =?utf-8?q?riddle?=",
    ],
)
def test_a_subject_is_read_as_it_was_written_also_by_strict_readers(smtp, subject):
    mailer_to(smtp).send(Mail(to="a@b.example", subject=subject, text="t"))
    [raw] = smtp.mails
    head = raw.partition(b"\r\n\r\n")[0]
    told = str(make_header(decode_header(message_from_bytes(raw)["Subject"])))

    assert told.split() == subject.split() == read(raw)["Subject"].split()
    assert max(map(len, head.split(b"\r\n"))) <= 78


@pytest.mark.parametrize(
    "subject", ["a\nBcc: c@d.example", "a\r\n\r\nbody", "a\x00", "a\x85b", "a\u2028b", "a\u2029"]
)
def test_a_subject_cannot_break_out_of_its_header(subject):
    with pytest.raises(MailRefused):
        Mail(to="a@b.example", subject=subject, text="t")


def test_without_a_server_each_mail_is_a_file_of_its_own_that_only_we_can_read(tmp_path):
    folder = tmp_path / "var" / "mail"
    mailer = FolderMailer(folder, sender=SENDER, clock=lambda: NOW)
    for _ in range(3):
        mailer.send(MAIL)
    files = sorted(folder.iterdir())

    assert len(files) == 3
    for file in files:
        assert re.fullmatch(r"20260301T123015\.000042Z-[0-9a-f]{8}\.eml", file.name)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert read(file.read_bytes())["Subject"] == MAIL.subject


def test_a_reader_of_the_folder_never_sees_half_a_mail(tmp_path, monkeypatch):
    seen = []
    rename = Path.rename

    def look_first(path, target):
        seen.extend(tmp_path.glob("*.eml"))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", look_first)
    FolderMailer(tmp_path, sender=SENDER).send(MAIL)

    assert seen == []
    assert len(list(tmp_path.glob("*.eml"))) == 1


def test_a_folder_that_cannot_be_written_is_tried_again(tmp_path):
    (tmp_path / "mail").write_text("in the way")
    with pytest.raises(MailUnavailable):
        FolderMailer(tmp_path / "mail", sender=SENDER).send(MAIL)


def test_the_settings_choose(tmp_path):
    environ = {
        "ADVANCIA_VAR": str(tmp_path),
        "SECRET_KEY": "x" * 32,
        "DATABASE_URL": "postgresql:///x",
        "REDIS_URL": "redis://x",
    }
    folder = mailer_from(load_settings(environ))

    assert isinstance(folder, FolderMailer)
    assert folder.folder == tmp_path / "mail"
    assert isinstance(mailer_from(load_settings({**environ, "SMTP_URL": "smtp://mail.example"})), SmtpMailer)
