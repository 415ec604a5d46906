"""What the settings are: their names, and the object in which they are passed on."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
EMBEDDED_FILE = "embedded.json"

Keys = tuple[tuple[str, bytes], ...]

# Every setting there is. A test holds this table against `.env.example`.
NAMES = (
    "ADVANCIA_ENV",
    "ADVANCIA_VAR",
    "HOST",
    "PORT",
    "PUBLIC_URL",
    "TRUSTED_HOSTS",
    "SECURITY_CONTACT",
    "SECRET_KEY",
    "SEAL_KEYS",
    "FIELD_KEYS",
    "DATABASE_URL",
    "DATABASE_OWNER_URL",
    "REDIS_URL",
    "TRUSTED_PROXIES",
    "WEB_WORKERS",
    "WEB_THREADS",
    "STRIPE_SECRET_KEY",
    "STRIPE_WEBHOOK_SECRET",
    "CRYPTOMUS_MERCHANT",
    "CRYPTOMUS_PAYMENT_KEY",
    "CRYPTOMUS_PAYOUT_KEY",
    "CRYPTOMUS_ALLOWED_ADDRESSES",
    "SANDBOX_URL",
    "SANDBOX_SECRET",
    "SMTP_URL",
    "MAIL_FROM",
    "LOG_LEVEL",
    "BACKUP_TARGET",
    "BACKUP_RECIPIENTS",
    "BACKUP_PG_BIN",
    "BACKUP_S3_ENDPOINT",
    "BACKUP_S3_REGION",
    "BACKUP_S3_KEY_ID",
    "BACKUP_S3_SECRET",
    "BACKUP_S3_READ_KEY_ID",
    "BACKUP_S3_READ_SECRET",
    "BACKUP_SCRATCH_URL",
    "BACKUP_LOG",
)


class ConfigError(Exception):
    """One or more settings are wrong; the text says for each how to mend it."""


class Environment(StrEnum):
    DEV = "dev"
    TEST = "test"
    STAGING = "staging"
    PRODUCTION = "production"


@dataclass(frozen=True)
class BackupSettings:
    """Where backups go, and who can open them. Without a target or recipients none are made, and that is loud."""

    target: str | None  # a folder, or s3://bucket/prefix
    recipients: tuple[str, ...]  # age public keys
    pg_bin: Path | None  # the folder of pg_dump and pg_restore, instead of those that the package brings
    s3_endpoint: str | None
    s3_region: str | None
    s3_key_id: str | None
    s3_secret: str | None = field(repr=False)
    s3_read_key_id: str | None  # a second credential, which reads; the first need not
    s3_read_secret: str | None = field(repr=False)
    scratch_url: str | None = field(repr=False)  # a server for proofs, instead of a cluster of their own
    log: Path  # where the proofs write a line each


@dataclass(frozen=True)
class Settings:
    """All settings, checked. Secrets are kept out of the repr, so that they never reach a log."""

    env: Environment
    var: Path
    host: str
    port: int
    public_url: str
    trusted_hosts: tuple[str, ...]
    security_contact: str
    secret_key: str = field(repr=False)
    seal_keys: Keys = field(repr=False)  # ids and secrets, the newest first
    field_keys: Keys = field(repr=False)  # as these
    database_url: str = field(repr=False)
    database_owner_url: str | None = field(repr=False)
    redis_url: str = field(repr=False)
    trusted_proxies: int
    web_workers: int
    web_threads: int
    stripe_secret_key: str | None = field(repr=False)
    stripe_webhook_secrets: tuple[str, ...] = field(repr=False)
    cryptomus_merchant: str | None
    cryptomus_payment_keys: tuple[str, ...] = field(repr=False)  # the first signs; all of them verify
    cryptomus_payout_key: str | None = field(repr=False)  # only reads what was paid out
    cryptomus_allowed_addresses: tuple[str, ...]
    sandbox_url: str | None
    sandbox_secret: str | None = field(repr=False)
    smtp_url: str | None = field(repr=False)
    mail_from: str
    log_level: str
    backups: BackupSettings

    @property
    def is_dev(self) -> bool:
        return self.env in (Environment.DEV, Environment.TEST)

    @property
    def is_production(self) -> bool:
        return not self.is_dev

    @property
    def is_sandboxed(self) -> bool:
        """Whether payments are simulated, which happens only outside production and without keys."""
        return self.stripe_secret_key is None and self.sandbox_url is not None

    @property
    def limiter_url(self) -> str:
        """The cache's address as the rate limiter spells it."""
        return re.sub(r"^unix:", "redis+unix:", self.redis_url)
