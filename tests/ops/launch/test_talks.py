"""The checks that talk to somebody: to the proxy about its certificate, to the mail server, to the providers."""

from __future__ import annotations

import socket

import pytest

from advancia.ops.launch.registry import State
from tests.support.smtp import SmtpServer

NAME = "pay.launched.net"


@pytest.fixture
def smtp():
    server = SmtpServer()
    yield server
    server.close()


@pytest.fixture
def certificate_seen(well_set, certificate_of, tls_proxy):
    """What the check finds of a certificate that is good for so many days, under that name."""

    def seen(days, *, name=NAME, is_trusted=True):
        certificate = certificate_of(name, days=days)
        port = tls_proxy(certificate, "http://127.0.0.1:9")

        def connect(_address, timeout):
            return socket.create_connection(("127.0.0.1", port), timeout=timeout)

        trust = {"tls": certificate.trusted} if is_trusted else {}
        return well_set.find("certificate", connect=connect, **trust)

    return seen


@pytest.mark.parametrize(
    ("days", "state"), [(60, State.OK), (10, State.WARNING), (1, State.BLOCKER), (-2, State.BLOCKER)]
)
def test_a_certificate_is_told_in_time(certificate_seen, days, state):
    found = certificate_seen(days)

    assert found.state is state, found.evidence
    assert bool(found.remedy) == (state is not State.OK)


def test_a_certificate_of_another_name_or_authority_is_not_trusted(certificate_seen):
    for found in (certificate_seen(60, name="www.elsewhere.net"), certificate_seen(60, is_trusted=False)):
        assert found.state is State.BLOCKER
        assert "not trusted" in found.evidence


def test_an_address_without_tls_has_no_certificate(well_set):
    assert well_set.find("certificate", url=f"http://{NAME}").state is State.BLOCKER


def test_a_mail_that_the_server_takes_is_told_as_that_and_no_more(well_set, smtp):
    found = well_set.set_otherwise(SMTP_URL=f"smtp://127.0.0.1:{smtp.port}").find("mail")

    assert (found.state, len(smtp.mails)) == (State.OK, 1)
    assert "Whether it arrives cannot be seen" in found.evidence
    assert b"To: pay@launched.net" in smtp.mails[0]


def test_a_mail_that_is_not_taken_is_a_blocker(well_set, smtp):
    smtp.replies["RCPT"] = "550 no relaying"
    refused = well_set.set_otherwise(SMTP_URL=f"smtp://127.0.0.1:{smtp.port}").find("mail")
    unreached = well_set.find("mail")

    assert (refused.state, "no relaying" in refused.evidence) == (State.BLOCKER, True)
    assert (unreached.state, "not taken" in unreached.evidence) == (State.BLOCKER, True)


def test_a_mail_that_becomes_a_file_is_a_warning(well_set):
    found = well_set.set_otherwise(SMTP_URL=None, ADVANCIA_ENV="dev").find("mail")

    assert (found.state, "nobody gets mail" in found.evidence) == (State.WARNING, True)


@pytest.fixture
def by_sandbox(well_set, sandbox):
    """The copy with the simulation as its providers, whose events go nowhere unless a test brings them."""
    simulated = {"ADVANCIA_ENV": "test", "STRIPE_SECRET_KEY": None, "STRIPE_WEBHOOK_SECRET": None}
    simulated |= {"CRYPTOMUS_MERCHANT": None, "CRYPTOMUS_PAYMENT_KEY": None, "CRYPTOMUS_PAYOUT_KEY": None}
    return well_set.set_otherwise(**simulated, SANDBOX_URL=sandbox.url)


@pytest.mark.parametrize("name", ["card-webhooks", "crypto-webhooks"])
def test_an_event_that_does_not_come_back_is_a_blocker(by_sandbox, name):
    found = by_sandbox.find(name)

    assert (found.state, "within 0 seconds" in found.evidence) == (State.BLOCKER, True), found.evidence
    assert "signing secret" in found.remedy


@pytest.mark.parametrize("name", ["card-webhooks", "crypto-webhooks"])
def test_a_provider_that_cannot_be_asked_is_a_blocker(well_set, by_sandbox, name):
    silent = by_sandbox.set_otherwise(SANDBOX_URL="http://127.0.0.1:9")
    found = silent.find(name)

    assert (found.state, "could not be asked" in found.evidence) == (State.BLOCKER, True), found.evidence


def test_providers_that_are_not_set_leave_it_open(well_set):
    without = dict.fromkeys(
        ("STRIPE_SECRET_KEY", "CRYPTOMUS_MERCHANT", "CRYPTOMUS_PAYMENT_KEY", "CRYPTOMUS_PAYOUT_KEY")
    )
    copy = well_set.set_otherwise(**without)

    assert [copy.find(f"{each}-webhooks").state for each in ("card", "crypto")] == [State.UNKNOWN] * 2
    assert copy.find("live-keys").state is State.BLOCKER
