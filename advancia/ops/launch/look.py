"""What a check has at hand: the settings, the database, and the product as the world sees it."""

from __future__ import annotations

import shutil
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

import httpx
from flask import Flask

from advancia.config import Settings
from advancia.core.clock import utcnow
from advancia.core.db import Session, db

Seen = TypeVar("Seen")

USER_AGENT = "Advancia launch check"
ANSWER_SECONDS = 15.0
PATIENCE_SECONDS = 30.0  # for what the worker or a provider does
PAUSE_SECONDS = 0.2


@dataclass
class Look:
    """One run's view. What is to be otherwise can be given: the clock, the disk, the way out."""

    app: Flask
    url: str  # where the product is looked at from outside
    present: Mapping[str, str] | None = field(default=None, repr=False)  # the environment, unless given
    now: Callable[[], datetime] = utcnow
    disk_usage: Callable[[Path], Any] = shutil.disk_usage
    patience: float = PATIENCE_SECONDS
    transport: httpx.BaseTransport | None = field(default=None, repr=False)
    connect: Callable[..., socket.socket] = socket.create_connection
    tls: Callable[[], ssl.SSLContext] = ssl.create_default_context

    @property
    def settings(self) -> Settings:
        settings: Settings = self.app.extensions["settings"]
        return settings

    @property
    def session(self) -> Session:
        return db.session()

    @property
    def address(self) -> SplitResult:
        return urlsplit(self.url)

    @property
    def is_https(self) -> bool:
        return self.address.scheme == "https"

    def stranger(self) -> httpx.Client:
        """A browser that has never been here, is told where to go next, and does not follow."""
        return httpx.Client(
            base_url=self.url,
            timeout=ANSWER_SECONDS,
            headers={"User-Agent": USER_AGENT},
            transport=self.transport,
        )

    def fetch(self, path: str, *, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """What a stranger who has never been here is answered; a path may be a whole address."""
        with self.stranger() as stranger:
            return stranger.get(path, headers=headers)

    def eventually(self, look: Callable[[], Seen | None]) -> Seen | None:
        """Look again and again until there is something, or patience is used up. No transaction stays open."""
        until = time.monotonic() + self.patience
        while True:
            seen = look()
            self.session.rollback()
            if seen is not None or time.monotonic() > until:
                return seen
            time.sleep(PAUSE_SECONDS)
