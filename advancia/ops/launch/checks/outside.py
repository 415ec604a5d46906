"""The product as the world sees it: asked over the network at its public address, like any stranger would."""

from __future__ import annotations

import re
import ssl
from datetime import UTC, datetime
from http import HTTPStatus
from http.cookies import Morsel, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

import httpx

from advancia.ops.launch.look import ANSWER_SECONDS, Look
from advancia.ops.launch.registry import Finding, Weight, check, fine, unknown, weak, wrong

PAGE = "/login"
NOWHERE = "/launch-check/there-is-no-such-page"
MAILBOX = "/dev/mail"
WHOSE = "/.well-known/security.txt"
CANONICAL = re.compile(r"^Canonical: (\S+)", re.MULTILINE)
NOBODY = "launch-check.invalid"
NONCE = re.compile(r"'nonce-([A-Za-z0-9_-]{16,})'")
LEAST_HSTS = 15_552_000  # seconds, half a year
DAYS_LEFT, DAYS_LOW = 3, 14
# What a page must not tell: the inside of the program, and what it runs on.
INSIDES = ("Traceback", "werkzeug", "sqlalchemy", "psycopg", 'File "', "site-packages", "Debugger")
EXACTLY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}
POLICY = ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "object-src 'none'")
KEEP_THE_NAME = (
    "Have the proxy pass on the name that was asked for: Host, or X-Forwarded-Host with TRUSTED_PROXIES; and see that "
    "PUBLIC_URL is the name that customers open."
)
PROXY_TAKES = "A proxy takes or changes them: let it pass the product's own headers."


@check("The process answers from outside", weight=Weight.BLOCKER)
def health(look: Look) -> Finding:
    answer = look.fetch("/health")
    if answer.status_code != HTTPStatus.OK or _told(answer).get("status") != "ok":
        return wrong(f"/health answered {answer.status_code}.", "Start the web process, and see its log.")
    return fine("/health answered ok.")


@check("All parts answer from outside", weight=Weight.BLOCKER)
def api_health(look: Look) -> Finding:
    answer = look.fetch("/api/health")
    told, remedy = _told(answer), "See Health in the staff pages, and what the proxy answers in our place."
    if answer.status_code != HTTPStatus.OK or told.get("status") not in ("ok", "degraded"):
        down = ", ".join(told.get("down", ())) or "not told"
        return wrong(f"/api/health answered {answer.status_code}; down: {down}.", remedy)
    if told["status"] != "ok":
        return weak(f"/api/health says {told['status']}: {', '.join(told.get('degraded', ()))}.", remedy)
    return fine(f"/api/health answered ok for {len(told['parts'])} parts.")


@check("Pages carry the security headers", weight=Weight.BLOCKER)
def security_headers(look: Look) -> Finding:
    first, second = look.fetch(PAGE), look.fetch(PAGE)
    missing = [name for name, wanted in EXACTLY.items() if first.headers.get(name) != wanted]
    policy, other = (each.headers.get("Content-Security-Policy", "") for each in (first, second))
    missing += [f"Content-Security-Policy: {each}" for each in POLICY if each not in policy]
    nonces = NONCE.search(policy), NONCE.search(other)
    if not all(nonces) or nonces[0][1] == nonces[1][1]:  # type: ignore[index]
        missing.append("Content-Security-Policy: a nonce for each answer")
    if "unsafe-inline" in policy or "unsafe-eval" in policy:
        missing.append("Content-Security-Policy: nothing unsafe")
    if _hsts_seconds(first.headers.get("Strict-Transport-Security", "")) < LEAST_HSTS:
        missing.append("Strict-Transport-Security")
    if missing:
        return wrong(f"{PAGE} lacks {'; '.join(missing)}.", f"Serve over https. {PROXY_TAKES}")
    return fine(f"{PAGE} has a policy with a nonce of its own in each answer, HSTS, and all the others.")


@check("Cookies cannot be read or stolen on the way", weight=Weight.BLOCKER)
def cookies(look: Look) -> Finding:
    jar: SimpleCookie = SimpleCookie()
    for each in look.fetch(PAGE).headers.get_list("Set-Cookie"):
        jar.load(each)
    if not jar:
        return unknown(f"{PAGE} set no cookie.", "See whether the proxy takes Set-Cookie away.")
    bare = [f"the {name} cookie lacks {', '.join(what)}" for name in jar if (what := _lacking(jar[name]))]
    if bare:
        return wrong(
            f"{PAGE} sets a cookie without its guards: {'; '.join(sorted(bare))}.",
            f"Set PUBLIC_URL to the https address. {PROXY_TAKES}",
        )
    return fine(f"{', '.join(jar)}: Secure, HttpOnly, SameSite, bound to the host by its name.")


def _lacking(cookie: Morsel[str]) -> list[str]:
    """Which of the guards of a cookie are not there."""
    guards = (
        ("Secure", cookie["secure"]),
        ("HttpOnly", cookie["httponly"]),
        ("SameSite", cookie["samesite"]),
        ("the prefix __Host- that binds it to the host", cookie.key.startswith("__Host-")),
    )
    return [words for words, is_there in guards if not is_there]


@check("The certificate is good for two weeks", weight=Weight.BLOCKER)
def certificate(look: Look) -> Finding:
    host, port = look.address.hostname or "", look.address.port or 443
    if not look.is_https:
        return wrong(
            "There is no TLS at that address.", "End TLS at a proxy, and set PUBLIC_URL to the https address."
        )
    remedy = "Renew the certificate, and see why it was not renewed by itself."
    try:
        left = _days_left(look, host, port)
    except ssl.SSLCertVerificationError as trouble:
        return wrong(f"The certificate of {host} is not trusted: {trouble.verify_message}.", remedy)
    except OSError as trouble:
        return wrong(f"No TLS connection to {host}:{port}: {type(trouble).__name__}.", "See the proxy's log.")
    words = f"The certificate of {host} is trusted and good for {left} more days."
    if left < DAYS_LEFT:
        return wrong(words, remedy)
    return weak(words, remedy) if left < DAYS_LOW else fine(words)


@check("Who types the name alone is led to https", weight=Weight.BLOCKER)
def http_to_https(look: Look) -> Finding:
    host = look.address.hostname or ""
    remedy = f"Have the proxy answer everything on port 80 with a redirect to https://{host}. {PROXY_TAKES}"
    if not look.is_https:
        return wrong(
            f"{look.url} is not https.", "End TLS at a proxy, and set PUBLIC_URL to the https address."
        )
    if _hsts_seconds(look.fetch(PAGE).headers.get("Strict-Transport-Security", "")) < LEAST_HSTS:
        return wrong(f"{PAGE} does not tell browsers to come by https alone (HSTS).", remedy)
    try:
        answer = look.fetch(f"http://{host}{PAGE}")
    except httpx.TransportError as trouble:
        return weak(f"http://{host} could not be asked: {type(trouble).__name__}.", remedy)
    led = urlsplit(answer.headers.get("Location", ""))
    if not answer.is_redirect or (led.scheme, led.hostname) != ("https", host):
        return wrong(f"http://{host}{PAGE} answered {answer.status_code}, and did not lead to https.", remedy)
    return fine(f"http://{host} leads to https, and HSTS keeps browsers there.")


@check("The product answers to its own name, and to no other", weight=Weight.BLOCKER)
def own_name(look: Look) -> Finding:
    told, host = look.fetch(WHOSE), look.address.hostname or ""
    named = CANONICAL.search(told.text)
    if told.status_code != HTTPStatus.OK or named is None:
        return wrong(f"{WHOSE} answered {told.status_code} at {host}.", KEEP_THE_NAME)
    if urlsplit(named[1]).hostname != host:
        return wrong(
            f"What answers at {host} says of itself that it is {named[1]}.", "Set PUBLIC_URL to one name."
        )
    if look.fetch(PAGE, headers={"Host": NOBODY}).status_code == HTTPStatus.OK:
        return weak(f"{PAGE} was shown to who asked for {NOBODY}.", KEEP_THE_NAME)
    return fine(f"It says that it is {host}, and shows nothing to who asks for another name.")


@check("An error page tells nothing of the inside", weight=Weight.BLOCKER)
def error_page(look: Look) -> Finding:
    answers = [
        look.fetch(NOWHERE),
        look.fetch(f"{NOWHERE}%00"),
        look.fetch("/login/second-factor?next=%ff%00"),
    ]
    told = {word for each in answers for word in INSIDES if word.lower() in each.text.lower()}
    served = {each.headers.get("Server", "") for each in answers}
    if answers[0].status_code != HTTPStatus.NOT_FOUND:
        return wrong(
            f"{NOWHERE} answered {answers[0].status_code}.", "See what the proxy answers in our place."
        )
    if told or look.app.debug:
        return wrong(
            f"Error pages show {', '.join(sorted(told)) or 'a debugger'}.", "Start without a debugger."
        )
    if any(re.search(r"\d", each) for each in served):
        return weak("Server tells a version.", "Have the proxy keep its version to itself.")
    return fine("A missing page and two malformed requests got plain pages, without traceback or version.")


@check("The development mailbox is closed", weight=Weight.BLOCKER)
def mailbox_closed(look: Look) -> Finding:
    status = look.fetch(MAILBOX).status_code
    if status != HTTPStatus.NOT_FOUND:
        return wrong(
            f"{MAILBOX} answered {status}: anybody can read all mail.", "Set ADVANCIA_ENV=production."
        )
    return fine(f"{MAILBOX} answered 404.")


def _told(answer: httpx.Response) -> dict[str, Any]:
    """What a machine is told; nothing, when somebody else has answered."""
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _hsts_seconds(header: str) -> int:
    found = re.search(r"max-age=(\d{1,12})", header)
    return int(found[1]) if found else 0


def _days_left(look: Look, host: str, port: int) -> int:
    with (
        look.connect((host, port), timeout=ANSWER_SECONDS) as line,
        look.tls().wrap_socket(line, server_hostname=host) as secured,
    ):
        ends = ssl.cert_time_to_seconds(str((secured.getpeercert() or {})["notAfter"]))
    return int((datetime.fromtimestamp(ends, UTC) - datetime.now(UTC)).days)
