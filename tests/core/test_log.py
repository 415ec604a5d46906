"""What the logs hold, and what they must not."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from advancia.core import context
from advancia.core.db import db
from advancia.core.log import HIDDEN, redact


@pytest.mark.parametrize(
    ("event", "kept"),
    [
        ({"password": "x"}, {"password": HIDDEN}),
        ({"facts": {"code": "123456", "minutes": 10}}, {"facts": {"code": HIDDEN, "minutes": 10}}),
        ({"event": "mail to amara@demo.example failed"}, {"event": "mail to a…@demo.example failed"}),
        ({"error": "bad key sk_live_abcdefghijkl"}, {"error": f"bad key {HIDDEN}"}),
        ({"error": "row (1, $argon2id$v=19$m=1,t=2,p=1$c2Fs$aGFzaA, x)"}, {"error": f"row (1, {HIDDEN}, x)"}),
        ({"headers": {"Cookie": "session=1"}}, {"headers": {"Cookie": HIDDEN}}),
        ({"status": 200, "ms": 1.5}, {"status": 200, "ms": 1.5}),
        ({"people": ["amara@demo.example"]}, {"people": ["a…@demo.example"]}),
    ],
)
def test_secrets_and_addresses_are_hidden(event, kept):
    assert redact(None, "info", event) == kept


def test_an_error_of_the_database_does_not_tell_what_was_to_be_written(app_context):
    with pytest.raises(DBAPIError) as error:
        db.session.execute(text("SELECT 1 / 0 WHERE :code = '' OR true"), {"code": "918273"})

    assert "918273" not in str(error.value)


@pytest.mark.parametrize(
    ("offered", "taken"), [("abcdefgh-1234", True), ("x", False), ("a b c d e f", False), (None, False)]
)
def test_a_request_id_from_outside_is_taken_only_if_it_looks_like_one(offered, taken):
    accepted = context.accept_request_id(offered)

    assert (accepted == offered) is taken
    assert len(accepted) >= 8
