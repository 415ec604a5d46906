"""Mail and webhooks: what leaves, and what comes back."""

from __future__ import annotations

import secrets
from email.utils import parseaddr
from urllib.parse import urlsplit

from flask import current_app

from advancia.ops.launch.look import Look
from advancia.ops.launch.registry import Finding, Weight, check, fine, unknown, weak, wrong
from advancia.payments import round_trip
from advancia.payments.round_trip import Trip
from advancia.providers.errors import ProviderError
from advancia.providers.mail import Mail, MailError, mailer_from

NOT_ARRIVED = (
    "See at the provider what became of its event: a wrong address, a wrong signing secret, or a proxy that refuses "
    "it. Refused events stand in the log as webhook_refused."
)


@check("Mail is taken by the mail server", weight=Weight.BLOCKER)
def mail(look: Look) -> Finding:
    settings = look.settings
    to, host = parseaddr(settings.mail_from)[1], urlsplit(settings.smtp_url or "").hostname
    test = Mail(
        to=to,
        subject="Launch check: a test mail",
        text="This mail was sent by the launch check. Nothing needs to be done.\n",
        key=f"launch-check-{secrets.token_hex(8)}",
    )
    try:
        mailer_from(settings).send(test)
    except MailError as trouble:
        return wrong(
            f"The test mail to {to} was not taken: {getattr(trouble, 'detail', trouble)}",
            "Set SMTP_URL to a server that takes mail from MAIL_FROM, and let this machine reach it.",
        )
    if host is None:
        return weak(
            "The test mail was written as a file: nobody gets mail.", "Set SMTP_URL to your mail server."
        )
    return fine(f"{host} took a test mail for {to}. Whether it arrives cannot be seen from here: look there.")


@check("The card provider's webhooks reach us", weight=Weight.BLOCKER)
def card_webhooks(look: Look) -> Finding:
    gateway = current_app.extensions["gateway"]
    if gateway is None:
        return unknown("No card provider is set.", "Set STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET.")
    try:
        trip = round_trip.begin_card(gateway, return_url=look.url)
    except ProviderError as trouble:
        return _not_begun(trouble)
    return _arrival(look, trip)


@check("The crypto provider's webhooks reach us", weight=Weight.BLOCKER)
def crypto_webhooks(look: Look) -> Finding:
    gateway = current_app.extensions["crypto_gateway"]
    if gateway is None:
        return unknown("No crypto provider is set.", "Set CRYPTOMUS_MERCHANT and CRYPTOMUS_PAYMENT_KEY.")
    try:
        trip = round_trip.begin_crypto(gateway, callback_url=f"{look.url}/webhooks/cryptomus")
    except ProviderError as trouble:
        return _not_begun(trouble)
    return _arrival(look, trip)


def _not_begun(trouble: ProviderError) -> Finding:
    detail = getattr(trouble, "detail", "")
    return wrong(
        f"The provider could not be asked: {trouble} {detail}".strip(),
        "See the provider's status and our keys.",
    )


def _arrival(look: Look, trip: Trip) -> Finding:
    arrived = look.eventually(lambda: round_trip.arrived_at(look.session, trip))
    if arrived is None:
        return wrong(f"No {trip.kind} from {trip.provider} within {look.patience:.0f} seconds.", NOT_ARRIVED)
    return fine(f"{trip.provider} sent {trip.kind}, which came in signed and was stored.")
