"""The providers of payments."""

from __future__ import annotations

import ipaddress
import re

from advancia.config.given import Given

MERCHANT = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
CRYPTOMUS_ADDRESS = "91.227.144.54"


def stripe(given: Given) -> tuple[str | None, tuple[str, ...]]:
    key = given.get("STRIPE_SECRET_KEY")
    secrets = tuple((given.get("STRIPE_WEBHOOK_SECRET") or "").replace(",", " ").split())
    if key and not re.match(r"^(sk|rk)_(test|live)_", key):
        given.wrong(
            "STRIPE_SECRET_KEY does not look like one: copy the key that begins with sk_live_ or sk_test_."
        )
    if key and not secrets:
        given.wrong(
            "STRIPE_WEBHOOK_SECRET is missing though STRIPE_SECRET_KEY is set: copy the signing secret (whsec_…) "
            "of the webhook endpoint; separate several with a comma while you rotate them."
        )
    return key, secrets


def cryptomus(given: Given) -> tuple[str | None, tuple[str, ...]]:
    merchant = given.get("CRYPTOMUS_MERCHANT")
    keys = tuple((given.get("CRYPTOMUS_PAYMENT_KEY") or "").replace(",", " ").split())
    if (merchant is None) != (not keys):
        given.wrong(
            "CRYPTOMUS_MERCHANT and CRYPTOMUS_PAYMENT_KEY belong together: copy both from the merchant's settings "
            "at Cryptomus, or set neither."
        )
    if merchant and not MERCHANT.fullmatch(merchant):
        given.wrong(
            "CRYPTOMUS_MERCHANT does not look like one: it is a UUID, like 8b03432e-385b-4670-8d06-064591096795."
        )
    return merchant, keys


def cryptomus_payouts(given: Given, merchant: str | None, payment_keys: tuple[str, ...]) -> str | None:
    key = given.get("CRYPTOMUS_PAYOUT_KEY")
    if key and not merchant:
        given.wrong(
            "CRYPTOMUS_PAYOUT_KEY is set without CRYPTOMUS_MERCHANT and CRYPTOMUS_PAYMENT_KEY: set all three, or leave "
            "it out."
        )
    if key and key in payment_keys:
        given.wrong(
            "CRYPTOMUS_PAYOUT_KEY is the payment key: copy the other one, which the merchant's settings at Cryptomus "
            "call the payout key."
        )
    return key


def allowed_addresses(given: Given) -> tuple[str, ...]:
    text = given.get("CRYPTOMUS_ALLOWED_ADDRESSES") or CRYPTOMUS_ADDRESS
    addresses = tuple(text.replace(",", " ").split())
    for each in addresses:
        try:
            ipaddress.ip_network(each, strict=False)
        except ValueError:
            given.wrong(
                f"CRYPTOMUS_ALLOWED_ADDRESSES names {each!r}: list addresses or networks, like {CRYPTOMUS_ADDRESS}."
            )
    return addresses
