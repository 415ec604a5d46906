"""All settings, put together."""

from __future__ import annotations

from advancia.config import backups, keys, payments, servers, web
from advancia.config.given import Given
from advancia.config.settings import ConfigError, Settings


def settings_of(given: Given) -> Settings:
    """Every setting, checked. Raises `ConfigError`, whose text names each wrong one and says how to mend it."""
    stripe_key, stripe_secrets = payments.stripe(given)
    cryptomus_merchant, cryptomus_keys = payments.cryptomus(given)
    port = given.number("PORT", 8000, lowest=1, highest=65535)
    settings = Settings(
        env=given.env,
        var=given.var,
        host=given.get("HOST") or "127.0.0.1",
        port=port,
        public_url=web.public_url(given, port),
        trusted_hosts=web.trusted_hosts(given),
        security_contact=web.security_contact(given),
        secret_key=keys.secret_key(given),
        seal_keys=keys.seal_keys(given),
        field_keys=keys.field_keys(given),
        database_url=servers.database(given, "DATABASE_URL") or "",
        database_owner_url=servers.database(given, "DATABASE_OWNER_URL", needed=False),
        redis_url=servers.redis(given),
        trusted_proxies=given.number("TRUSTED_PROXIES", 0, lowest=0, highest=10),
        web_workers=given.number("WEB_WORKERS", 2, lowest=1, highest=64),
        web_threads=given.number("WEB_THREADS", 8, lowest=1, highest=128),
        stripe_secret_key=stripe_key,
        stripe_webhook_secrets=stripe_secrets,
        cryptomus_merchant=cryptomus_merchant,
        cryptomus_payment_keys=cryptomus_keys,
        cryptomus_payout_key=payments.cryptomus_payouts(given, cryptomus_merchant, cryptomus_keys),
        cryptomus_allowed_addresses=payments.allowed_addresses(given),
        sandbox_url=given.get("SANDBOX_URL") if given.is_dev else None,
        sandbox_secret=given.get("SANDBOX_SECRET") if given.is_dev else None,
        smtp_url=servers.smtp(given),
        mail_from=given.get("MAIL_FROM") or "Advancia <no-reply@localhost>",
        log_level=web.log_level(given),
        backups=backups.backups(given),
    )
    if given.problems:
        raise ConfigError("\n".join(given.problems))
    return settings
