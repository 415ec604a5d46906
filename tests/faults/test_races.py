"""Many at once, over real HTTP: what was asked once happens once, and nothing goes below zero."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from tests.support.pages import OverHttp, Page, sign_in

pytestmark = pytest.mark.xdist_group("product")


def window(product, customer):
    """A browser of the customer's, which reaches the product over the network."""
    page = Page(OverHttp(product.url))
    page.transport.client.headers["X-Forwarded-For"] = ".".join(str(random.randint(1, 254)) for _ in range(4))
    sign_in(page, customer)
    page.get("/transfers/new")
    return page


def transfer(to, amount, request_id=None):
    return {
        "recipient": to.email,
        "asset": "USD",
        "amount": amount,
        "note": "",
        "request_id": request_id or str(uuid4()),
    }


def all_at_once(posts):
    """Send every form at the same time; give the answers in order. `posts` are pairs of page and form."""
    with ThreadPoolExecutor(len(posts)) as pool:
        return list(pool.map(lambda post: post[0].post("/transfers", post[1]), posts))


def test_a_hundred_equal_submits_make_one_transfer(product, customer, books):
    amara, bilal = customer("Amara Okafor", USD="100.00"), customer("Bilal Haddad")
    page, form = window(product, amara), transfer(bilal, "10.00")

    answers = all_at_once([(page, form)] * 100)

    assert {answer.status for answer in answers} == {303}
    assert len({answer.location for answer in answers}) == 1
    assert (str(books.available(amara)), str(books.available(bilal))) == ("90.00 USD", "10.00 USD")
    books.prove()


def test_of_forty_sends_of_thirty_from_a_hundred_exactly_three_go_through(product, customer, books):
    amara, bilal = customer("Amara Okafor", USD="100.00"), customer("Bilal Haddad")
    page = window(product, amara)

    answers = all_at_once([(page, transfer(bilal, "30")) for _ in range(40)])

    assert [answer.status for answer in answers].count(303) == 3
    refused = [answer for answer in answers if answer.status == 422]
    assert len(refused) == 37
    assert all("There is not enough money" in answer.text for answer in refused)
    assert (str(books.available(amara)), str(books.available(bilal))) == ("10.00 USD", "90.00 USD")
    books.prove()


def test_opposite_transfers_do_not_deadlock(product, customer, books):
    people = [customer(name, USD="100.00") for name in ("Amara Okafor", "Bilal Haddad", "Chidi Anagonye")]
    pages = [window(product, person) for person in people]
    posts = []
    for number in range(90):
        sender = number % 3
        posts.append((pages[sender], transfer(people[(sender + 1 + number // 3 % 2) % 3], "1.00")))

    answers = all_at_once(posts)

    assert {answer.status for answer in answers} == {303}
    assert sum(books.available(person).minor for person in people) == 30_000
    assert "deadlock" not in product.log("web")
    books.prove()
