"""Signing in to a restored copy, over HTTP, at a web process of its own which can do nothing to the world.

The process runs on the settings of a test: no provider, no mail server, no cache, no worker, no relay. What it shares
with the product are the keys without which nobody could sign in.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from sqlalchemy.orm import Session

from advancia.config import ROOT, Environment, Settings
from advancia.core.clock import utcnow
from advancia.identity import queries as people
from advancia.identity.services import passwords, sign_up
from advancia.ops import demo
from advancia.ops.dev.processes import kill_family
from advancia.web.public import TERMS_VERSION

LONGEST_START = 60.0  # seconds
HTTP_OK, HTTP_SEE_OTHER = 200, 303
TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
NAME = "Proof of a Backup"


class SignInFailed(Exception):
    """Nobody could sign in to the copy; the text says at which point."""


@dataclass(frozen=True)
class Person:
    """Somebody in the copy whose password is known."""

    email: str
    name: str
    password: str


def somebody(session: Session, settings: Settings) -> Person:
    """One of the demo's people, as the backup has them; elsewhere somebody made for this in the copy. Commits."""
    if settings.is_dev:
        email, name = demo.PEOPLE[0]
        stored = people.credentials_of(session, email).password_hash
        if passwords.matches(stored, demo.PASSWORD):
            return Person(email, name, demo.PASSWORD)
    made = Person(f"proof-{secrets.token_hex(6)}@proof.example", NAME, secrets.token_urlsafe(24))
    sign_up.create_user(
        session,
        email=made.email,
        name=made.name,
        password_hash=passwords.hashed(made.password),
        terms_version=TERMS_VERSION,
        terms_accepted_at=utcnow(),
    )
    session.commit()
    return made


def sign_in(url: str, person: Person) -> None:
    """Sign in as people do, through the form, and see their wallet. Raises `SignInFailed`."""
    try:
        with httpx.Client(base_url=url, timeout=20) as browser:
            form = TOKEN.search(_answer(browser.get("/login"), HTTP_OK).text)
            if form is None:
                raise SignInFailed("The page to sign in has no form.")
            typed = {"csrf_token": form.group(1), "email": person.email, "password": person.password}
            _answer(browser.post("/login", data=typed), HTTP_SEE_OTHER)
            wallet = _answer(browser.get("/wallet"), HTTP_OK).text
    except httpx.HTTPError as trouble:
        raise SignInFailed(f"The web process did not answer: {trouble}") from None
    if person.name not in wallet:
        raise SignInFailed("The wallet does not show the name of the person who has signed in.")


def _answer(answer: httpx.Response, wanted: int) -> httpx.Response:
    if answer.status_code != wanted:
        asked = f"{answer.request.method} {answer.request.url.path}"
        raise SignInFailed(f"{asked} was answered with {answer.status_code} instead of {wanted}.")
    return answer


@contextmanager
def web_process(settings: Settings, *, database_url: str, folder: Path) -> Iterator[str]:
    """A web process on that database for the duration; gives its address. Raises `SignInFailed`."""
    port = _free_port()
    log = folder / "web.log"
    environ = environ_of(settings, database_url=database_url, folder=folder, port=port)
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "run", "--no-reload", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    try:
        _wait_for(process, f"http://127.0.0.1:{port}", log)
        yield f"http://127.0.0.1:{port}"
    finally:
        kill_family(process.pid)
        process.wait()


def _wait_for(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until = time.monotonic() + LONGEST_START
    while process.poll() is None and time.monotonic() < until:
        try:
            httpx.get(f"{url}/health", timeout=5)
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return
    last = log.read_text(errors="replace").strip().splitlines()[-1:]
    raise SignInFailed(f"The web process on the copy did not start: {' '.join(last) or 'it gave no reason'}")


def environ_of(settings: Settings, *, database_url: str, folder: Path, port: int = 8000) -> dict[str, str]:
    """The settings of a product on the copy: ours alone are the keys."""
    return {
        "PATH": os.defpath,
        "ADVANCIA_ENV": Environment.TEST.value,
        "ADVANCIA_VAR": str(folder),
        "DATABASE_URL": database_url,
        "REDIS_URL": f"unix://{folder}/there-is-no-cache",
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "SECRET_KEY": settings.secret_key,
        "SEAL_KEYS": _listed(settings.seal_keys),
        "FIELD_KEYS": _listed(settings.field_keys),
        "LOG_LEVEL": "WARNING",
    }


def _listed(keys: tuple[tuple[str, bytes], ...]) -> str:
    return ",".join(f"{name}:{secret.hex()}" for name, secret in keys)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
