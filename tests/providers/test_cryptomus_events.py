"""Cryptomus's signature with the quirks of the language that makes it, and what its events are told apart by."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advancia.providers.cryptomus_events import comes_from, signature, verify_event
from advancia.providers.cryptomus_states import MEANING, WORDS, Meaning, meaning_of, words_for
from advancia.providers.errors import BadSignature, MalformedEvent
from tests.support import php

KEY = "a-payment-key-for-tests"
# As documented, with the field that the provider added last year and we have never heard of.
PAID = {
    "type": "payment",
    "uuid": "62f88b36-a9d5-4fa6-aa26-e040c3dbf26d",
    "order_id": "0b6b7a1e-5a0f-4f5c-9f0e-2f5a1b1f0c11",
    "amount": "3.00000000",
    "payment_amount": "3.00000000",
    "payment_amount_usd": "0.23",
    "merchant_amount": "2.94000000",
    "commission": "0.06000000",
    "is_final": True,
    "status": "paid",
    "from": "THgEWubVc8tPKXLJ4VZ5zbiiAK7AgqSeGH",
    "wallet_address_uuid": None,
    "network": "tron",
    "currency": "TRX",
    "payer_currency": "TRX",
    "additional_data": None,
    "convert": {"to_currency": "USDT", "commission": None, "rate": "0.07700000", "amount": "0.22638000"},
    "txid": "6f0d9c8374db57cac0d806251473de754f361c83a03cd805f74aa9da3193486b",
    "signed_by": {"url": "https://cryptomus.com/docs?a=1&b=</x>", "note": "süß 漢字 🜚"},
}

BODIES = {
    "as documented": {},
    "slashes": {"additional_data": "https://shop.example/a/b\\c"},
    "unicode": {"additional_data": "Übertrag für Zoë — 東京 🜚"},
    "separators that end a line in JavaScript": {"additional_data": "a\u2028b\u2029c"},
    "quotes and control characters": {"additional_data": 'say "hi"\t\r\n\b\f\x00\x1f\x7f'},
    "nested lists and nothing in them": {"convert": {"a": [[], [1, [None, True, {"b": []}]]]}},
    "nulls": {"convert": None, "txid": None},
    "floats": {"payment_amount": php.Float(0.1), "rate": php.Float(1e25), "small": php.Float(1e-7)},
    "floats that PHP prints without a fraction": {"payment_amount": php.Float(10.0)},
    "whole numbers, also large and negative": {"amount": 12, "big": 10**30, "minus": -7},
    "no field at all that we know the order of": {"zz": "1", "aa": "2", "0": "3"},
    "an empty text": {"additional_data": ""},
}


def body_of(changes, *, place=None, **dumps):
    return json.dumps(php.signed({**PAID, **changes}, KEY, place=place), **dumps).encode()


def sent(changes, *, place=None):
    """The body as PHP would send it."""
    return php.json_encode(php.signed({**PAID, **changes}, KEY, place=place)).encode()


@pytest.mark.parametrize("changes", BODIES.values(), ids=BODIES.keys())
def test_what_php_signs_is_verified(changes):
    event = verify_event(sent(changes), keys=[KEY])

    assert (event.type, event.object_id) == ("payment.paid", PAID["uuid"])


@pytest.mark.parametrize("place", [0, 1, 7, None])
def test_the_signature_may_stand_anywhere_in_the_body(place):
    assert verify_event(sent({}, place=place), keys=[KEY])


@pytest.mark.parametrize("dumps", [{}, {"ensure_ascii": False}, {"indent": 2}, {"separators": (",", ":")}])
def test_how_the_body_is_spaced_or_escaped_on_the_way_does_not_matter(dumps):
    assert verify_event(body_of({"additional_data": "a/b ü \u2028"}, **dumps), keys=[KEY])


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**25), 10**25) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, min_size=1, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(TEXTS.filter(lambda name: name not in PAID and name != "sign"), VALUES, max_size=5))
def test_any_further_fields_are_part_of_what_is_signed(further):
    assert verify_event(sent(further), keys=[KEY]).data.keys() == {**PAID, **further}.keys()


def test_a_vector_worked_out_by_hand():
    # printf '{"a":"b\\/c"}' | base64 is eyJhIjoiYlwvYyJ9; then printf eyJhIjoiYlwvYyJ9key | md5sum.
    expected = "3c739aed5760e5f844704a40bcaf41d3"

    assert signature('{"a":"b\\/c"}', "key") == expected
    assert php.sign({"a": "b/c"}, "key") == expected
    assert verify_event(sent({}), keys=[KEY])


def test_nothing_to_sign_is_signed_as_an_empty_text():
    assert signature("", "key") == "3c6e0b8a9c15224a8228b9a98ca1531d"  # md5 of the key alone


FORGERIES = {
    "another key": lambda body: php.json_encode(php.signed(PAID, "another-key")).encode(),
    "an altered amount": lambda body: body.replace(b"3.00000000", b"9.00000000"),
    "a field taken away": lambda body: json.dumps(
        {name: value for name, value in json.loads(body).items() if name != "txid"}
    ).encode(),
    "fields in another order": lambda body: json.dumps(
        dict(sorted(json.loads(body).items()))
    ).encode(),
    "a null left out": lambda body: json.dumps(
        {name: value for name, value in json.loads(body).items() if value is not None}
    ).encode(),
    "no signature": lambda body: json.dumps(PAID).encode(),
    "a signature of another type": lambda body: json.dumps({**PAID, "sign": 0}).encode(),
    "an empty signature": lambda body: json.dumps({**PAID, "sign": ""}).encode(),
    "a signature in other letters": lambda body: json.dumps({**PAID, "sign": "é" * 32}).encode(),
    "no object": lambda body: b"[]",
    "no JSON": lambda body: b"sign=1",
    "not a number": lambda body: b'{"sign": "x", "amount": NaN}',
    "nothing": lambda body: b"",
    "no UTF-8": lambda body: b'{"sign": "\xff"}',
    "half a character": lambda body: b'{"sign": "x", "a": "\\ud800"}',
    "nesting without end": lambda body: b'{"sign":"x","a":' + b"[" * 100_000,
}  # fmt: skip


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
def test_what_is_not_theirs_is_refused(forge):
    with pytest.raises(BadSignature):
        verify_event(forge(sent({})), keys=[KEY])


def test_an_empty_key_verifies_nothing():
    forged = php.json_encode(php.signed(PAID, "")).encode()
    with pytest.raises(BadSignature):
        verify_event(forged, keys=["", KEY])


def test_while_keys_are_rotated_each_of_them_verifies():
    assert verify_event(sent({}), keys=["the-new-key", KEY])


@pytest.mark.parametrize(
    "changes", [{"status": None}, {"status": "Paid!"}, {"uuid": 7}, {"uuid": ""}, {"type": ["payment"]}]
)
def test_what_is_signed_and_no_event_is_told_apart(changes):
    with pytest.raises(MalformedEvent):
        verify_event(sent(changes), keys=[KEY])


def test_the_same_news_has_the_same_id_and_other_news_another():
    ids = [
        verify_event(sent(changes), keys=[KEY]).id
        for changes in (
            {},
            {"payment_amount_usd": "0.24"},
            {"status": "paid_over"},
            {"txid": "other"},
            {"txid": None},
        )
    ]

    assert ids[0] == ids[1]
    assert len(set(ids)) == 4


@pytest.mark.parametrize(
    ("address", "is_allowed"),
    [
        ("91.227.144.54", True),
        ("::ffff:91.227.144.54", True),
        ("10.1.2.3", True),
        ("91.227.144.55", False),
        ("2001:db8::1", False),
        ("", False),
        (None, False),
        ("91.227.144.54, 10.0.0.1", False),
    ],
)
def test_only_listed_addresses_and_networks_are_listened_to(address, is_allowed):
    assert comes_from(address, ("91.227.144.54", "10.0.0.0/8")) is is_allowed


def test_nobody_is_listened_to_when_none_is_listed():
    assert not comes_from("91.227.144.54", ())


def test_every_state_has_words_and_a_meaning_and_an_unknown_one_is_for_staff():
    assert MEANING.keys() == WORDS.keys()
    assert all(words.endswith(".") for words in WORDS.values())
    assert meaning_of("something_new") is Meaning.UNKNOWN
    assert "looking into" in words_for("something_new")
