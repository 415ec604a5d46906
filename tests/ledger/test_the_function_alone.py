"""What `ledger.post` refuses when it is called by hand, without the care that the Python face takes."""

from __future__ import annotations

import json
from uuid import uuid4

import psycopg
import pytest

CALL = """
    select txn_id, replayed
    from ledger.post(%s, %s, %s::bigint[], %s::text[], %s::text[], %s::numeric[], %s::jsonb)
"""


def call(connection, *legs, **words):
    words = {"reference": f"test:{uuid4()}", "kind": "test", "meta": None} | words
    return connection.execute(CALL, (words["reference"], words["kind"], *legs, words["meta"])).fetchone()


AVAILABLE2 = "{available,available}"

MALFORMED = {
    "out of order": ("{9,8}", "{USD,USD}", AVAILABLE2, "{1,-1}"),
    "the same account twice": ("{9,9}", "{USD,USD}", AVAILABLE2, "{1,-1}"),
    "assets out of order": ("{9,9}", "{USD,BTC}", AVAILABLE2, "{1,-1}"),
    "purposes out of order": ("{9,9}", "{USD,USD}", "{held,available}", "{1,-1}"),
    "not in the order of code points": ("{9,9}", "{USD,USD}", "{available,HELD}", "{1,-1}"),
    "one leg": ("{9}", "{USD}", "{available}", "{1}"),
    "no legs": ("{}", "{}", "{}", "{}"),
    "arrays of two lengths": ("{0,9}", "{USD,USD}", "{fees,available,held}", "{-1,1}"),
    "no arrays": (None, None, None, None),
    "two dimensions": ("{{0,9}}", "{{USD,USD}}", "{{fees,available}}", "{{-1,1}}"),
    "counted from elsewhere": ("[2:3]={0,9}", "{USD,USD}", "{fees,available}", "{-1,1}"),
    "a null amount": ("{0,9}", "{USD,USD}", "{fees,available}", "{NULL,1}"),
    "a null asset": ("{0,9}", "{USD,NULL}", "{fees,available}", "{-1,1}"),
    "a zero": ("{0,8,9}", "{USD,USD,USD}", "{fees,available,available}", "{-1,0,1}"),
    "half a cent": ("{0,9}", "{USD,USD}", "{fees,available}", "{-0.5,0.5}"),
    "a whole number with decimals": ("{0,9}", "{USD,USD}", "{fees,available}", "{-1.0,1.0}"),
    "NaN": ("{0,9}", "{USD,USD}", "{fees,available}", "{NaN,NaN}"),
    "infinity": ("{0,9}", "{USD,USD}", "{fees,available}", "{-Infinity,Infinity}"),
    "too large": ("{0,9}", "{USD,USD}", "{fees,available}", f"{{-{10**38},{10**38}}}"),
    "not balanced": ("{0,9}", "{USD,USD}", "{fees,available}", "{-1,2}"),
    "balanced over two assets only": ("{0,9}", "{USD,ETH}", "{fees,available}", "{-1,1}"),
    "an unknown asset": ("{0,9}", "{XAU,XAU}", "{fees,available}", "{-1,1}"),
    "an unknown purpose": ("{0,9}", "{USD,USD}", "{fees,savings}", "{-1,1}"),
    "a negative holder": ("{-5,9}", "{USD,USD}", "{fees,available}", "{-1,1}"),
}


@pytest.mark.parametrize("legs", MALFORMED.values(), ids=MALFORMED)
def test_malformed_legs_are_refused(app_connection, legs):
    with pytest.raises(psycopg.Error) as refusal:
        call(app_connection, *legs)
    assert refusal.value.sqlstate == "LG422"


@pytest.mark.parametrize(
    "words",
    [
        {"reference": None},
        {"reference": ""},
        {"reference": "x" * 201},
        {"kind": None},
        {"kind": ""},
        {"kind": "x" * 65},
        {"meta": "[]"},
        {"meta": "null"},
    ],
    ids=str,
)
def test_a_posting_needs_a_reference_and_a_kind(app_connection, words):
    with pytest.raises(psycopg.Error) as refusal:
        call(app_connection, "{0,9}", "{USD,USD}", "{fees,available}", "{-1,1}", **words)
    assert refusal.value.sqlstate == "LG422"


def test_not_enough_money_is_told_in_minor_units(app_connection, new_user_id):
    user = new_user_id()
    with pytest.raises(psycopg.Error) as refusal:
        call(app_connection, [0, user], "{USD,USD}", "{fees,available}", "{7,-7}")
    assert refusal.value.sqlstate == "LG402"
    assert json.loads(refusal.value.diag.message_detail or "") == {
        "holder": user,
        "asset": "USD",
        "purpose": "available",
        "available": 0,
        "asked": 7,
    }


def test_objects_that_the_caller_puts_in_the_way_are_not_seen(app_connection, new_user_id):
    """The function runs with its owner's rights, so a caller must not lend it functions of its own."""
    app_connection.execute("create temp table txn (id int)")
    app_connection.execute("set search_path = pg_temp, ledger, public")
    _, replayed = call(app_connection, [0, new_user_id()], "{USD,USD}", "{fees,available}", "{-7,7}")
    assert not replayed
    settings = app_connection.execute(
        "select proname, prosecdef, proconfig from pg_proc where pronamespace = 'ledger'::regnamespace"
    ).fetchall()
    for name, definer, config in settings:
        if definer:
            assert "search_path=pg_catalog, pg_temp" in config, name
