"""Amounts are read strictly, kept exactly and printed in full."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from advancia.core.money import ASSETS, MAX_MINOR, AssetMismatch, InvalidAmount, Money, asset

assets = st.sampled_from(list(ASSETS.values()))
typable = st.integers(min_value=1, max_value=MAX_MINOR)


@given(typable, assets)
def test_what_is_printed_is_read_back_as_the_same_amount(minor, of_asset):
    money = Money(minor, of_asset)

    assert Money.parse(money.figure(), of_asset) == money
    assert Money.parse(money.plain, of_asset) == money
    assert Money.parse(money.figure(trim=True), of_asset) == money


@given(st.integers(min_value=-(10**38), max_value=10**38), assets)
def test_the_decimal_is_exact(minor, of_asset):
    money = Money(minor, of_asset)
    sign, digits, exponent = money.decimal.as_tuple()

    assert (int("".join(map(str, digits))), exponent) == (abs(minor), -of_asset.decimals)
    assert sign == (minor < 0)
    assert (
        money.figure(grouped=False).replace(".", "").replace("\u2212", "-")
        == f"{minor:0{of_asset.decimals + 1 + (minor < 0)}d}"
    )


@pytest.mark.parametrize(
    ("typed", "code", "minor"),
    [
        ("12.50", "USD", 1250),
        ("12.5", "USD", 1250),
        ("12", "USD", 1200),
        ("1,234,567.89", "USD", 123456789),
        ("  7.01 ", "ADV", 701),
        ("0.00000001", "BTC", 1),
        ("12.345678901234567890", "ETH", 12345678901234567890),
        ("0.000001", "USDT", 1),
        ("007.50", "USD", 750),
    ],
)
def test_what_people_type_is_understood(typed, code, minor):
    assert Money.parse(typed, asset(code)).minor == minor


@pytest.mark.parametrize(
    "typed",
    [
        "", " ", ".", ".5", "5.", "1.005", "+1", "-1", "\u22121", "1e3", "1E3", "NaN", "Infinity", "0", "0.00", "1,23",
        "1,2345", ",123", "1,,234", "1 234", "1_000", "0x10", "\u0661\u0662", "\uff11\uff12", "12.50 USD", "$12",
        "1.2.3",
        "9" * 61, "9" * 40, "1" + "0" * 29, "1\n", "1\x00", "\u00bd",
    ],
)  # fmt: skip
def test_what_is_no_amount_is_refused_in_words(typed):
    if typed == "1\n":  # white space around is not the customer's mistake
        assert Money.parse(typed, asset("USD")).minor == 100
        return
    with pytest.raises(InvalidAmount) as refusal:
        Money.parse(typed, asset("USD"))
    assert str(refusal.value)


@given(st.text(max_size=80))
def test_no_text_breaks_the_reader(typed):
    try:
        money = Money.parse(typed, asset("ETH"))
    except InvalidAmount:
        return
    assert 0 < money.minor <= MAX_MINOR


@pytest.mark.parametrize("of_asset", ASSETS.values(), ids=str)
def test_one_decimal_too_many_is_refused_with_the_number_allowed(of_asset):
    with pytest.raises(InvalidAmount, match=f"at most {of_asset.decimals} digits"):
        Money.parse("0." + "0" * of_asset.decimals + "1", of_asset)


@pytest.mark.parametrize(
    ("minor", "code", "printed"),
    [
        (123450, "USD", "1,234.50 USD"),
        (-5, "USD", "\u22120.05 USD"),
        (1, "ETH", "0.000000000000000001 ETH"),
        (10**38, "ETH", "100,000,000,000,000,000,000.000000000000000000 ETH"),
        (0, "BTC", "0.00000000 BTC"),
    ],
)
def test_amounts_are_printed_in_full(minor, code, printed):
    assert str(Money(minor, asset(code))) == printed


def test_a_sign_is_a_real_minus_or_a_plus():
    assert Money(1250, asset("USD")).figure(signed=True) == "+ 12.50"
    assert Money(-1250, asset("USD")).figure(signed=True) == "\u2212 12.50"
    assert Money(-120000000, asset("BTC")).figure(signed=True, trim=True) == "\u2212 1.2"


def test_two_assets_are_never_put_together():
    with pytest.raises(AssetMismatch):
        Money(1, asset("USD")) + Money(1, asset("ADV"))
    with pytest.raises(AssetMismatch):
        assert Money(1, asset("USD")) < Money(1, asset("ADV"))


@pytest.mark.parametrize("minor", [1.0, "1", True, Decimal(1)])
def test_an_amount_is_a_whole_number(minor):
    with pytest.raises(TypeError):
        Money(minor, asset("USD"))


def test_the_ledger_keeps_the_same_assets(session):
    kept = dict(session.execute(text("SELECT code, decimals FROM ledger.asset")).all())

    assert kept == {each.code: each.decimals for each in ASSETS.values()}
