"""A test of the way from each provider to our inbox: the event arrives, is verified, and moves nothing."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from advancia.core.db import db
from advancia.payments import round_trip
from tests.support.payments import crypto_event, knock_crypto, pass_on


@pytest.fixture
def begin(app, sandbox):
    """Begin a trip through one of the providers."""

    def trip(way):
        if way == "crypto":
            gateway = app.extensions["crypto_gateway"]
            return round_trip.begin_crypto(gateway, callback_url="http://127.0.0.1:9/webhooks/cryptomus")
        return round_trip.begin_card(app.extensions["gateway"], return_url="http://shop.example/")

    return trip


@pytest.mark.parametrize("way", ["crypto", "card"])
def test_the_event_of_a_trip_is_seen_in_the_inbox_and_ignored(app, page, sandbox, begin, work_through, way):
    trip = begin(way)
    with app.app_context():
        assert round_trip.arrived_at(db.session(), trip) is None
    for event in sandbox.deliveries():
        assert pass_on(page, event).status == 200
    work_through()

    with app.app_context():
        assert round_trip.arrived_at(db.session(), trip) is not None
        states = db.session.scalars(
            text("SELECT state FROM webhook_event WHERE object_id = :id"), {"id": trip.object_id}
        ).all()
    assert states == ["ignored"]


def test_a_second_trip_is_not_taken_for_the_first(app, page, sandbox, begin):
    first, second = begin("crypto"), begin("crypto")
    pass_on(page, sandbox.deliveries()[0])

    with app.app_context():
        assert round_trip.arrived_at(db.session(), first)
        assert round_trip.arrived_at(db.session(), second) is None


def test_a_trip_that_somebody_else_has_signed_does_not_arrive(app, page, begin):
    trip = begin("crypto")
    forged = crypto_event(
        "8b03432e-385b-4670-8d06-064591096795", "paid", key="a-guess", order_id=trip.object_id
    )

    assert knock_crypto(page, forged).status == 400
    with app.app_context():
        assert round_trip.arrived_at(db.session(), trip) is None
