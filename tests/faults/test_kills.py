"""A process dies, or the queue forgets: the credit comes once, within a minute, and nobody touches anything."""

from __future__ import annotations

from pathlib import Path

import httpx
import psycopg
import pytest
from redis import Redis

from tests.payments.test_pay_in import begin, deposit_of
from tests.support.payments import choose, event, signature
from tests.support.servers import eventually
from worker import queue as bell

pytestmark = pytest.mark.xdist_group("product")

MINUTE = 60.0


@pytest.fixture
def amara(customer):
    return customer("Amara Okafor")


@pytest.fixture
def checkout_url(product, amara, page_of):
    """Where Amara may pay forty dollars."""
    return begin(page_of(amara), "40.00")


@pytest.fixture
def owner(product):
    with psycopg.connect(product.environ["DATABASE_OWNER_URL"]) as connection:
        yield connection


def is_credited(books, amara):
    return lambda: books.available(amara).minor == 4000


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_of_the_credit(product, app, amara, checkout_url, owner, books):
    deposit = deposit_of(app, amara)
    # The job has come as far as the deposit's row, and waits for it, when its worker is killed.
    owner.execute("SELECT 1 FROM deposit WHERE id = %s FOR UPDATE", (deposit.id,))
    choose(checkout_url, "pay")
    eventually(lambda: waits_for_a_row(product), "the job waits for the deposit")
    product.kill("worker")
    owner.rollback()
    assert books.entry_count(amara) == 0

    product.start("worker")
    eventually(is_credited(books, amara), "the deposit is credited", within=MINUTE)
    assert books.entry_count(amara) == 1
    books.prove()


@pytest.mark.slow
def test_a_worker_killed_again_and_again_during_a_storm_of_payments(product, app, customer, page_of, books):
    people = [customer(f"Person {letter}") for letter in "abcdefgh"]
    for person in people:
        choose(begin(page_of(person), "40.00"), "pay")
        product.kill("worker")
        product.start("worker")

    for person in people:
        eventually(is_credited(books, person), f"{person.name} is credited", within=MINUTE)
        assert books.entry_count(person) == 1
    books.prove()


def test_a_flushed_queue_with_jobs_waiting(product, app, amara, checkout_url, books):
    with Redis.from_url(product.environ["REDIS_URL"]) as redis:
        product.kill("worker")
        choose(checkout_url, "pay")
        eventually(lambda: len(bell.queue(redis).job_ids) > 0, "the relay has rung")
        redis.flushdb()
    product.start("worker")

    eventually(is_credited(books, amara), "the deposit is credited", within=MINUTE)
    assert books.entry_count(amara) == 1
    books.prove()


def test_a_relay_that_was_down_catches_up(product, app, amara, checkout_url, books):
    product.kill("relay")
    choose(checkout_url, "pay")
    eventually(lambda: waiting_events(product) > 0, "the event is stored")
    product.start("relay")

    eventually(is_credited(books, amara), "the deposit is credited", within=MINUTE)


def test_a_web_process_that_was_down_hears_of_the_payment_later(product, app, amara, checkout_url, books):
    product.kill("web")
    choose(checkout_url, "pay")
    product.start("web")

    eventually(is_credited(books, amara), "the deposit is credited", within=MINUTE)
    assert books.entry_count(amara) == 1


def test_the_same_webhook_fifty_times_over_the_network(product, app, amara, checkout_url, books):
    from concurrent.futures import ThreadPoolExecutor

    deposit = deposit_of(app, amara)
    choose(checkout_url, "pay")
    body = event("checkout.session.completed", deposit.checkout_id)
    header = {"Stripe-Signature": signature(body)}
    with ThreadPoolExecutor(10) as pool:
        answers = list(
            pool.map(
                lambda _: httpx.post(product.url + "/webhooks/stripe", content=body, headers=header),
                range(50),
            )
        )

    assert {answer.status_code for answer in answers} == {200}
    eventually(is_credited(books, amara), "the deposit is credited", within=MINUTE)
    assert books.entry_count(amara) == 1
    books.prove()


def waits_for_a_row(product) -> bool:
    waiting = "pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND datname = current_database()"
    return count(product, waiting) > 0


def waiting_events(product) -> int:
    return count(product, "webhook_event WHERE state = 'received'")


def count(product, what: str) -> int:
    with psycopg.connect(product.environ["DATABASE_OWNER_URL"]) as connection:
        row = connection.execute(f"SELECT count(*) FROM {what}").fetchone()
    return int(row[0]) if row else 0


def test_the_logs_of_all_this_hold_no_secret(product, amara, checkout_url):
    for path in Path(product.folder).glob("*.log"):
        text = path.read_text()
        assert product.environ["SANDBOX_SECRET"] not in text
        assert product.environ["SECRET_KEY"] not in text
        assert amara.email not in text
