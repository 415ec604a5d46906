"""A wrong setting stops the start with a sentence that says how to mend it."""

from __future__ import annotations

import json

import pytest

from advancia.config import ConfigError, load_settings, sqlalchemy_url

STRONG = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def good(tmp_path):
    return {
        "ADVANCIA_VAR": str(tmp_path),
        "ADVANCIA_ENV": "production",
        "PUBLIC_URL": "https://pay.example.com",
        "SECRET_KEY": STRONG,
        "SEAL_KEYS": f"2026a:{STRONG}{STRONG}",
        "FIELD_KEYS": f"2026a:{STRONG}{STRONG}",
        "DATABASE_URL": "postgresql://app@db/advancia",
        "REDIS_URL": "redis://cache:6379/0",
        "SMTP_URL": "smtp://user:password@mail.example.com:587",
    }


def test_every_spelling_of_the_databases_address_serves_web_relay_and_clock_alike(good):
    settings = load_settings({**good, "DATABASE_URL": "postgresql+psycopg://app@db/advancia"})

    assert settings.database_url == "postgresql://app@db/advancia"
    assert sqlalchemy_url(settings.database_url) == "postgresql+psycopg://app@db/advancia"


def test_a_production_with_everything_set_starts(good):
    settings = load_settings(good)

    assert settings.is_production
    assert not settings.is_sandboxed


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SECRET_KEY", "", "SECRET_KEY is missing"),
        ("SECRET_KEY", "changeme", "SECRET_KEY is too weak"),
        ("SECRET_KEY", "a" * 64, "SECRET_KEY is too weak"),
        ("SEAL_KEYS", "", "SEAL_KEYS is missing"),
        ("SEAL_KEYS", STRONG, "SEAL_KEYS is not a list of ids and secrets"),
        ("SEAL_KEYS", f"2026a:{STRONG}", "SEAL_KEYS is not a list of ids and secrets"),
        ("SEAL_KEYS", f"a:{STRONG * 2},a:{STRONG * 2}", "SEAL_KEYS names two keys alike"),
        ("FIELD_KEYS", "", "FIELD_KEYS is missing"),
        ("FIELD_KEYS", f"2026a:{STRONG}", "FIELD_KEYS is not a list of ids and secrets of exactly 32 bytes"),
        ("FIELD_KEYS", f"2026a:{STRONG * 3}", "FIELD_KEYS is not a list of ids and secrets of exactly 32"),
        ("FIELD_KEYS", f"a:{STRONG * 2},a:{STRONG[::-1] * 2}", "FIELD_KEYS names two keys alike"),
        ("FIELD_KEYS", f"b:{STRONG * 2},a:{STRONG * 2}", "FIELD_KEYS holds the same secret under two ids"),
        ("FIELD_KEYS", f"a:{'ab' * 32}", "FIELD_KEYS holds a secret that nobody drew by lot"),
        ("DATABASE_URL", "", "DATABASE_URL is missing"),
        ("DATABASE_URL", "mysql://db/advancia", "DATABASE_URL does not begin with postgresql://"),
        ("REDIS_URL", "memcached://x", "REDIS_URL is 'memcached://x'"),
        ("PORT", "eighty", "PORT is 'eighty': set it to a whole number from 1 to 65535"),
        ("PORT", "70000", "PORT is '70000'"),
        ("PORT", "\u0668\u0660", "PORT is"),
        ("PUBLIC_URL", "http://pay.example.com", "PUBLIC_URL must begin with https://"),
        ("PUBLIC_URL", "", "PUBLIC_URL is missing"),
        ("PUBLIC_URL", "pay.example.com", "PUBLIC_URL is 'pay.example.com'"),
        ("STRIPE_SECRET_KEY", "pk_live_123", "STRIPE_SECRET_KEY does not look like one"),
        ("STRIPE_SECRET_KEY", "sk_live_123", "STRIPE_WEBHOOK_SECRET is missing"),
        ("CRYPTOMUS_PAYOUT_KEY", "a-key", "CRYPTOMUS_PAYOUT_KEY is set without CRYPTOMUS_MERCHANT"),
        ("SMTP_URL", "", "SMTP_URL is missing"),
        ("SMTP_URL", "mail.example.com", "SMTP_URL must look like"),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL is 'LOUD'"),
        ("ADVANCIA_ENV", "prod", "ADVANCIA_ENV is 'prod': set it to dev, test, staging or production"),
        ("TRUSTED_PROXIES", "-1", "TRUSTED_PROXIES is '-1'"),
    ],
)
def test_a_wrong_setting_is_named_with_what_to_do(good, name, value, says):
    with pytest.raises(ConfigError) as problem:
        load_settings({**good, name: value})

    assert says in str(problem.value)


def test_the_key_for_payouts_is_another_than_that_for_payments(good):
    cryptomus = {
        "CRYPTOMUS_MERCHANT": "8b03432e-385b-4670-8d06-064591096795",
        "CRYPTOMUS_PAYMENT_KEY": "new,old",
    }

    assert load_settings({**good, **cryptomus}).cryptomus_payout_key is None
    assert (
        load_settings({**good, **cryptomus, "CRYPTOMUS_PAYOUT_KEY": "other"}).cryptomus_payout_key == "other"
    )
    with pytest.raises(ConfigError, match="CRYPTOMUS_PAYOUT_KEY is the payment key"):
        load_settings({**good, **cryptomus, "CRYPTOMUS_PAYOUT_KEY": "old"})


def test_all_problems_are_told_at_once(good):
    with pytest.raises(ConfigError) as problem:
        load_settings({**good, "SECRET_KEY": "", "PORT": "x"})

    assert len(str(problem.value).splitlines()) == 2


def test_what_the_supervisor_wrote_down_is_found_in_development_only(good, tmp_path):
    (tmp_path / "embedded.json").write_text(json.dumps({"SECRET_KEY": "from the file", "PORT": "8123"}))
    environ = {**good, "ADVANCIA_ENV": "dev", "SECRET_KEY": ""}

    assert load_settings(environ).secret_key == "from the file"
    assert load_settings(environ).port == 8123
    with pytest.raises(ConfigError, match="SECRET_KEY is missing"):
        load_settings({**environ, "ADVANCIA_ENV": "production"})


def test_the_simulation_never_runs_in_production(good):
    settings = load_settings({**good, "SANDBOX_URL": "http://127.0.0.1:9000", "SANDBOX_SECRET": "x"})

    assert settings.sandbox_url is None
    assert not settings.is_sandboxed


def test_secrets_do_not_show_in_the_repr(good):
    shown = repr(load_settings(good))

    assert STRONG not in shown
    assert "password" not in shown


def test_webhook_secrets_may_be_several(good):
    settings = load_settings(
        {**good, "STRIPE_SECRET_KEY": "sk_live_1", "STRIPE_WEBHOOK_SECRET": "whsec_a, whsec_b"}
    )

    assert settings.stripe_webhook_secrets == ("whsec_a", "whsec_b")


def test_seal_keys_are_told_newest_first(good):
    settings = load_settings({**good, "SEAL_KEYS": f"2027:{'ab' * 32}, 2026:{'cd' * 40}"})

    assert settings.seal_keys == (("2027", b"\xab" * 32), ("2026", b"\xcd" * 40))
    assert "ab" * 16 not in repr(settings)
    assert repr(b"\xab")[2:-1] not in repr(settings)


def test_field_keys_are_told_newest_first(good):
    settings = load_settings({**good, "FIELD_KEYS": f"2027:{STRONG[::-1] * 2}, 2026:{STRONG * 2}"})

    assert [key_id for key_id, _ in settings.field_keys] == ["2027", "2026"]
    assert settings.field_keys[1][1] == bytes.fromhex(STRONG * 2)
    assert repr(settings.field_keys[1][1])[2:-1] not in repr(settings)


@pytest.mark.parametrize("url", ["postgres://h/d", "postgresql://h/d", "postgresql+psycopg://h/d"])
def test_every_spelling_of_a_database_address_names_our_driver(url):
    assert sqlalchemy_url(url) == "postgresql+psycopg://h/d"
