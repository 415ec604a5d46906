"""The outer shell: a strict content security policy with a nonce per response, and the headers beside it."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from flask import Flask, Response, g, request, session

from advancia.config import Settings
from advancia.web import reports

STRIPE_CHECKOUT = "https://checkout.stripe.com"
CRYPTOMUS_PAGES = "https://pay.cryptomus.com"
ONE_YEAR = 31_536_000

# What a browser may offer to a page, each taken away unless it stands below: a script that should not be here finds
# nothing to use. These are all that Chromium knows, but for hints about the device; a name that a browser does not
# know it complains about on every page, so unknown ones stay away.
TAKEN_AWAY = (
    "accelerometer", "aria-notify", "autoplay", "browsing-topics", "camera", "captured-surface-control",
    "clipboard-read", "compute-pressure", "cross-origin-isolated", "deferred-fetch", "deferred-fetch-minimal",
    "digital-credentials-create", "digital-credentials-get", "display-capture", "encrypted-media",
    "fullscreen", "gamepad", "geolocation", "gyroscope", "hid", "identity-credentials-get", "idle-detection",
    "interest-cohort", "keyboard-map", "language-detector", "language-model", "local-fonts", "local-network",
    "local-network-access", "loopback-network", "magnetometer", "microphone", "midi",
    "on-device-speech-recognition", "otp-credentials", "payment", "picture-in-picture",
    "private-state-token-issuance", "private-state-token-redemption", "screen-wake-lock", "serial",
    "speaker-selection", "storage-access", "summarizer", "sync-xhr", "translator", "unload", "usb",
    "window-management", "xr-spatial-tracking",
)  # fmt: skip
USED = ("clipboard-write", "publickey-credentials-create", "publickey-credentials-get")
PERMISSIONS = ", ".join([*(f"{name}=()" for name in TAKEN_AWAY), *(f"{name}=(self)" for name in USED)])


def init_app(app: Flask, settings: Settings) -> None:
    form_targets = " ".join(("'self'", *checkout_origins(settings)))
    secure = settings.public_url.startswith("https:")

    def add_headers(response: Response) -> Response:
        headers = response.headers
        headers["Content-Security-Policy"] = policy(csp_nonce(), form_targets)
        headers["Server"] = "Advancia"  # the web server would say its own name
        headers["X-Content-Type-Options"] = "nosniff"
        headers.setdefault("Referrer-Policy", "strict-origin-when-cross-origin")
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        headers["Cross-Origin-Resource-Policy"] = "same-origin"
        headers["X-Frame-Options"] = "DENY"
        headers["X-Permitted-Cross-Domain-Policies"] = "none"
        headers["Origin-Agent-Cluster"] = "?1"
        headers["Permissions-Policy"] = PERMISSIONS
        headers["Reporting-Endpoints"] = f'{reports.GROUP}="{reports.PATH}"'
        if secure:
            headers["Strict-Transport-Security"] = f"max-age={ONE_YEAR}; includeSubDomains"
        if request.endpoint != "static":
            # Pages with somebody's money on them are not for anybody's cache; nor are forms with a token in them.
            # The cookie alone tells: asking who it is would need the database, also on an error page without one.
            headers.setdefault("Cache-Control", "no-store" if session else "no-cache")
        return response

    app.after_request(add_headers)
    app.jinja_env.globals["csp_nonce"] = csp_nonce


def csp_nonce() -> str:
    """This response's nonce: the same wherever the response needs it."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    nonce: str = g.csp_nonce
    return nonce


def policy(nonce: str, form_targets: str) -> str:
    """Scripts by nonce only, styles and pictures from here only, nothing framed, no evaluation of texts."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'nonce-{nonce}'",
            "style-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            f"form-action {form_targets}",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "object-src 'none'",
            # Texts become elements through htmx's policy alone, which hx-csp guards by the nonce.
            "require-trusted-types-for 'script'",
            "trusted-types htmx",
            f"report-to {reports.GROUP}",
            f"report-uri {reports.PATH}",  # for browsers that do not know the line above
        )
    )


def checkout_origins(settings: Settings) -> tuple[str, ...]:
    """Where a form of ours may lead the browser: the payment pages of the providers in use."""
    origins = []
    if settings.stripe_secret_key:
        origins.append(STRIPE_CHECKOUT)
    if settings.cryptomus_merchant:
        origins.append(CRYPTOMUS_PAGES)
    if settings.sandbox_url and not settings.stripe_secret_key:
        parts = urlsplit(settings.sandbox_url)
        origins.append(f"{parts.scheme}://{parts.netloc}")
    return tuple(origins)
