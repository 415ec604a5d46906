"""Settings: whether they are production's, whatever this copy is called. Each is named, and none is shown."""

from __future__ import annotations

from email.utils import parseaddr

from advancia import config
from advancia.config import Environment
from advancia.ops.launch.addresses import is_global
from advancia.ops.launch.look import Look
from advancia.ops.launch.registry import Finding, Weight, check, fine, weak, wrong


@check("It runs as production", weight=Weight.BLOCKER)
def environment(look: Look) -> Finding:
    env = look.settings.env
    if env is Environment.PRODUCTION:
        return fine("ADVANCIA_ENV is production.")
    if env is Environment.STAGING:
        return weak(
            "ADVANCIA_ENV is staging.", "A rehearsal. Set ADVANCIA_ENV=production where customers come."
        )
    return wrong(
        f"ADVANCIA_ENV is {env}: anybody can read all mail under /dev/mail.",
        "Set ADVANCIA_ENV=production and restart all processes.",
    )


@check("Every setting is present and strong", weight=Weight.BLOCKER)
def settings(look: Look) -> Finding:
    problems = config.problems_in_production(look.present)
    if not problems:
        return fine(f"All {len(config.NAMES)} settings pass production's rules.")
    return wrong(
        f"{len(problems)} would stop a start in production: {', '.join(sorted({each.name for each in problems}))}.",
        " ".join(each.words for each in problems),
    )


@check("Payments go to live accounts", weight=Weight.BLOCKER)
def live_keys(look: Look) -> Finding:
    key, merchant = look.settings.stripe_secret_key, look.settings.cryptomus_merchant
    if look.settings.is_sandboxed:
        return wrong(
            "Payments are simulated.", "Set STRIPE_SECRET_KEY, CRYPTOMUS_MERCHANT and what belongs to them."
        )
    if key is None and merchant is None:
        return wrong("No provider is set: nobody can pay in.", "Set STRIPE_SECRET_KEY or CRYPTOMUS_MERCHANT.")
    if key is not None and not key.startswith(("sk_live_", "rk_live_")):
        return wrong(
            "STRIPE_SECRET_KEY is a test key.", "Copy the live key, and the live endpoint's signing secret."
        )
    missing = "STRIPE_SECRET_KEY" if key is None else "CRYPTOMUS_MERCHANT" if merchant is None else None
    if missing:
        return weak(f"{missing} is not set.", "Set it, unless customers are not to pay in that way.")
    return fine("Stripe has a live key and a signing secret, Cryptomus a merchant and a key.")


@check("What is paid out in coins can be compared", weight=Weight.WARNING)
def payout_key(look: Look) -> Finding:
    if look.settings.cryptomus_merchant is None:
        return fine("Cryptomus is not set, so nothing can be paid out there.")
    if look.settings.cryptomus_payout_key is None:
        return wrong(
            "CRYPTOMUS_PAYOUT_KEY is not set: the reconciliation does not see what is paid out at Cryptomus.",
            "Copy the payout key from the merchant's settings at Cryptomus, and set CRYPTOMUS_PAYOUT_KEY to it.",
        )
    return fine("CRYPTOMUS_PAYOUT_KEY is set. Whether Cryptomus takes it, the next reconciliation says.")


@check("The public address is one that customers can open", weight=Weight.BLOCKER)
def public_address(look: Look) -> Finding:
    host = look.address.hostname or ""
    if not look.is_https:
        return wrong(
            f"{look.url} is not https.", "End TLS at a proxy, and set PUBLIC_URL to the https address."
        )
    if not is_global(host):
        return wrong(
            f"{host} is a name or a number of this network alone.", "Set PUBLIC_URL to the public name."
        )
    if look.url.rstrip("/") != look.settings.public_url:
        return weak(
            f"Looked at {look.url}, while PUBLIC_URL is {look.settings.public_url}.", "Set PUBLIC_URL to it."
        )
    return fine(f"{look.url}, over TLS.")


@check("The proxies before us are counted", weight=Weight.BLOCKER)
def proxies(look: Look) -> Finding:
    if look.settings.trusted_proxies == 0:
        return wrong(
            "TRUSTED_PROXIES is 0: behind a proxy all customers would share one address, and its limits.",
            "Set TRUSTED_PROXIES to the number of proxies between the customers and the web process.",
        )
    return fine(f"TRUSTED_PROXIES is {look.settings.trusted_proxies}.")


@check("Mail comes from an address of ours", weight=Weight.BLOCKER)
def sender(look: Look) -> Finding:
    domain = parseaddr(look.settings.mail_from)[1].rpartition("@")[2]
    if not domain or not is_global(domain):
        return wrong(
            "MAIL_FROM is not an address that mail can come from.", "Set MAIL_FROM, like Advancia <pay@…>."
        )
    return fine(f"MAIL_FROM is an address at {domain}.")


@check("Whoever finds a hole knows where to tell it", weight=Weight.WARNING)
def security_contact(look: Look) -> Finding:
    contact = look.settings.security_contact
    if contact.endswith("localhost"):
        return wrong("SECURITY_CONTACT leads nowhere.", "Set SECURITY_CONTACT to an address that is read.")
    return fine(f"security.txt names {contact}.")
