"""Many browsers at once, in a process of their own, so that they do not take the time of the test that watches."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import httpx
import pytest

from tests.support.pages import OverHttp, Page
from tests.support.servers import Product


def somewhere() -> str:
    """An address that nobody else comes from."""
    return ".".join(str(random.randint(1, 254)) for _ in range(4))


def sign_in_all_at_once(url: str, cookie: str, csrf_token: str, emails: Sequence[str]) -> list[int]:
    """Try a wrong password for each, all in the same moment and each from an address of its own; give the answers."""
    limits = httpx.Limits(max_connections=len(emails), max_keepalive_connections=len(emails))
    headers = {"Cookie": f"session={cookie}"}
    with (
        httpx.Client(base_url=url, timeout=120, limits=limits, headers=headers) as client,
        ThreadPoolExecutor(len(emails)) as pool,
    ):

        def attempt(email: str) -> int:
            typed = {"csrf_token": csrf_token, "email": email, "password": "not it at all"}
            return client.post("/login", data=typed, headers={"X-Forwarded-For": somewhere()}).status_code

        return list(pool.map(attempt, emails))


@pytest.fixture
def crowd(product: Product) -> Iterator[Callable[[Sequence[str]], Future[list[int]]]]:
    """Have a crowd try to sign in: `crowd(emails)` gives the answers to come."""
    door = Page(OverHttp(product.url))
    door.get("/login")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as elsewhere:
        yield lambda emails: elsewhere.submit(
            sign_in_all_at_once,
            product.url,
            door.transport.client.cookies["session"],  # type: ignore[attr-defined]
            door.csrf_token,
            emails,
        )
