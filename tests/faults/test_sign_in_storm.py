"""A storm of sign-ins: the pages of everybody else go on, and no crowd gets past the limit together."""

from __future__ import annotations

import random
import statistics
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait

import httpx
import psycopg
import pytest

from tests.faults.test_races import window
from tests.support.pages import OverHttp, Page

pytestmark = pytest.mark.xdist_group("product")

AT_ONCE = 200
ROUNDS = 3
SLOWER_AT_MOST = 3.0
# Times below this are noise of the machine: nobody is kept waiting by them.
UNNOTICED_SECONDS = 0.010


@pytest.fixture
def crowd(product):
    """Two hundred who try to sign in at the same moment: `crowd(emails)` gives the tries under way."""
    door = Page(OverHttp(product.url))
    door.get("/login")
    client = httpx.Client(
        base_url=product.url,
        cookies=door.transport.client.cookies,
        timeout=120,
        limits=httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE),
    )

    def attempt(email):
        typed = {"csrf_token": door.csrf_token, "email": email, "password": "not it at all"}
        return client.post("/login", data=typed, headers={"X-Forwarded-For": somewhere()}).status_code

    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield lambda emails: [pool.submit(attempt, email) for email in emails]
    client.close()


def somewhere():
    return ".".join(str(random.randint(1, 254)) for _ in range(4))


def seconds_for(page, path):
    began = time.perf_counter()
    assert page.get(path).status == 200
    return time.perf_counter() - began


def test_two_hundred_wrong_sign_ins_at_once_keep_nobody_from_their_wallet(product, customer, crowd):
    page = window(product, customer("Amara Okafor", USD="100.00"))
    seconds_for(page, "/wallet")
    quiet, stormy, answers = [], [], Counter()
    for number in range(ROUNDS):
        quiet += [seconds_for(page, "/wallet") for _ in range(30)]
        # Each at another account and from another address, so that no limit but the one on hashing is in the way.
        storm = crowd([f"nobody-{number}-{each}@test.example" for each in range(AT_ONCE)])
        while wait(storm, timeout=0).not_done:
            stormy.append(seconds_for(page, "/wallet"))
        answers.update(each.result() for each in storm)

    assert set(answers) <= {422, 503}, answers
    assert answers[422] > 0
    assert len(stormy) >= ROUNDS
    usual, meanwhile = statistics.median(quiet), statistics.median(stormy)
    assert meanwhile <= max(SLOWER_AT_MOST * usual, UNNOTICED_SECONDS), (
        usual,
        meanwhile,
        len(stormy),
        answers,
    )


def test_two_hundred_at_once_have_no_more_than_five_passwords_looked_at(product, customer, crowd):
    amara = customer("Amara Okafor")
    storm = crowd([amara.email] * AT_ONCE)
    answers = Counter(each.result() for each in storm)

    assert passwords_looked_at(product, amara) == answers[422] <= 5
    assert answers[429] >= AT_ONCE - 5 - answers[503]
    assert set(answers) <= {422, 429, 503}, answers


def passwords_looked_at(product, customer) -> int:
    with psycopg.connect(product.environ["DATABASE_OWNER_URL"]) as connection:
        row = connection.execute(
            "SELECT count(*) FROM audit_record WHERE action = 'sign_in.failed' AND object_id = %s",
            (str(customer.id),),
        ).fetchone()
    return int(row[0]) if row else 0
