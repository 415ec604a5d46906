"""The settings: read once, checked at the start, and passed on as one frozen object.

This is the only module that reads the environment. In development and tests, what the environment does
not say is taken from `<ADVANCIA_VAR>/embedded.json`, which the supervisor writes for the servers it has
started; so every process and command with the same `ADVANCIA_VAR` finds the same servers.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
EMBEDDED_FILE = "embedded.json"
PROOFS_LOG = "BACKUP_RESTORE_TEST_LOG.txt"
SECRET_KEY_BYTES = 32
DIFFERENT_CHARACTERS = 10  # fewer, and the key was typed by hand
KEY_ID = re.compile(r"[A-Za-z0-9_.-]{1,32}")
HOST_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
SEAL_KEY = re.compile(r"(?:[0-9a-fA-F]{2}){32,}")
MERCHANT = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
CRYPTOMUS_ADDRESS = "91.227.144.54"
FIELD_KEY = re.compile(r"[0-9a-fA-F]{64}")
_VALUE = re.compile(r"^([A-Z0-9_]+) (?:is|names) (['\"]).*\2: ", re.DOTALL)  # as a problem quotes it
AGE_RECIPIENT = re.compile(r"age1[02-9ac-hj-np-z]{58}")
BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[A-Za-z0-9_.=/-]*)?")

UNLOCKS_BUNDLES = "ADVANCIA_PASSPHRASE"  # no setting: it must not stand in the file that it encrypts
HOW_KEYS = (
    "set it to an id and a secret, like 2026a:SECRET, where SECRET is the output of: "
    "python3 -c 'import secrets; print(secrets.token_hex(32))'"
)

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


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read and check every setting.

    Raises `ConfigError`, whose text names each wrong setting and says how to mend it.
    """
    return _Reader(os.environ if environ is None else environ).settings()


@dataclass(frozen=True)
class Problem:
    """What would stop a start: which setting, and how to mend it, without its value."""

    name: str
    words: str


def problems_in_production(environ: Mapping[str, str] | None = None) -> list[Problem]:
    """What production would say to the present settings, those of embedded servers included."""
    present = _Reader(os.environ if environ is None else environ)
    reader = _Reader({**present.embedded, **present.environ, "ADVANCIA_ENV": Environment.PRODUCTION.value})
    try:
        reader.settings()
    except ConfigError:
        return [Problem(each.split(" ", 1)[0], _VALUE.sub(r"\1 is wrong: ", each)) for each in reader.problems]
    return []


def var_folder(environ: Mapping[str, str] | None = None) -> Path:
    """The folder of the embedded servers and of local mail; settable before anything else can be read."""
    environ = os.environ if environ is None else environ
    return Path(environ.get("ADVANCIA_VAR") or ROOT / "var").expanduser().resolve()


def passphrase(environ: Mapping[str, str] | None = None) -> str | None:
    """What encrypts a bundle of settings, where the environment holds it instead of somebody typing it."""
    return (os.environ if environ is None else environ).get(UNLOCKS_BUNDLES) or None


def sqlalchemy_url(url: str) -> str:
    """Name the driver in a plain libpq address, as SQLAlchemy wants it."""
    return re.sub(r"^postgres(ql)?(\+psycopg)?://", "postgresql+psycopg://", url)


class _Reader:
    """Collects what is wrong instead of stopping at the first, so that one start tells everything."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.problems: list[str] = []
        self.var = var_folder(environ)
        self.env = self._environment()
        self.embedded = self._embedded() if self.is_dev else {}

    @property
    def is_dev(self) -> bool:
        return self.env in (Environment.DEV, Environment.TEST)

    def settings(self) -> Settings:
        stripe_key, stripe_secrets = self._stripe()
        cryptomus_merchant, cryptomus_keys = self._cryptomus()
        port = self._number("PORT", 8000, lowest=1, highest=65535)
        settings = Settings(
            env=self.env,
            var=self.var,
            host=self.get("HOST") or "127.0.0.1",
            port=port,
            public_url=self._public_url(port),
            trusted_hosts=self._trusted_hosts(),
            security_contact=self._security_contact(),
            secret_key=self._secret_key(),
            seal_keys=self._seal_keys(),
            field_keys=self._field_keys(),
            database_url=self._database("DATABASE_URL") or "",
            database_owner_url=self._database("DATABASE_OWNER_URL", needed=False),
            redis_url=self._redis(),
            trusted_proxies=self._number("TRUSTED_PROXIES", 0, lowest=0, highest=10),
            web_workers=self._number("WEB_WORKERS", 2, lowest=1, highest=64),
            web_threads=self._number("WEB_THREADS", 8, lowest=1, highest=128),
            stripe_secret_key=stripe_key,
            stripe_webhook_secrets=stripe_secrets,
            cryptomus_merchant=cryptomus_merchant,
            cryptomus_payment_keys=cryptomus_keys,
            cryptomus_allowed_addresses=self._allowed_addresses(),
            sandbox_url=self.get("SANDBOX_URL") if self.is_dev else None,
            sandbox_secret=self.get("SANDBOX_SECRET") if self.is_dev else None,
            smtp_url=self._smtp(),
            mail_from=self.get("MAIL_FROM") or "Advancia <no-reply@localhost>",
            log_level=self._log_level(),
            backups=self._backups(),
        )
        if self.problems:
            raise ConfigError("\n".join(self.problems))
        return settings

    def get(self, name: str) -> str | None:
        return self.environ.get(name) or self.embedded.get(name) or None

    def _wrong(self, sentence: str) -> None:
        self.problems.append(sentence)

    def _environment(self) -> Environment:
        named = self.environ.get("ADVANCIA_ENV") or "dev"
        try:
            return Environment(named)
        except ValueError:
            self._wrong(f"ADVANCIA_ENV is {named!r}: set it to dev, test, staging or production.")
            return Environment.PRODUCTION

    def _embedded(self) -> dict[str, str]:
        try:
            text = (self.var / EMBEDDED_FILE).read_text()
        except OSError:
            return {}
        try:
            return {str(name): str(value) for name, value in json.loads(text).items()}
        except (ValueError, AttributeError):
            self._wrong(f"{self.var / EMBEDDED_FILE} cannot be read: delete it and start ./run again.")
            return {}

    def _number(self, name: str, default: int, *, lowest: int, highest: int) -> int:
        text = self.get(name)
        if text is None:
            return default
        if text.isascii() and text.isdigit() and lowest <= int(text) <= highest:
            return int(text)
        self._wrong(f"{name} is {text!r}: set it to a whole number from {lowest} to {highest}.")
        return default

    def _public_url(self, port: int) -> str:
        url = self.get("PUBLIC_URL")
        if url is None:
            if not self.is_dev:
                self._wrong(
                    "PUBLIC_URL is missing: set it to the address customers use, like https://pay.example.com."
                )
            return f"http://localhost:{port}"
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
            self._wrong(
                f"PUBLIC_URL is {url!r}: set it to a scheme and a host, like https://pay.example.com."
            )
        elif not self.is_dev and parts.scheme != "https":
            self._wrong("PUBLIC_URL must begin with https:// outside development.")
        return url.rstrip("/")

    def _trusted_hosts(self) -> tuple[str, ...]:
        hosts = tuple((self.get("TRUSTED_HOSTS") or "").lower().replace(",", " ").split())
        for host in hosts:
            if not HOST_NAME.fullmatch(host):
                self._wrong(
                    f"TRUSTED_HOSTS names {host!r}: list names alone, without scheme or port, like "
                    "pay.example.com, www.example.com."
                )
        return hosts

    def _security_contact(self) -> str:
        contact = self.get("SECURITY_CONTACT")
        if contact is None:
            host = urlsplit(self.get("PUBLIC_URL") or "").hostname or "localhost"
            return f"mailto:security@{host}"
        if not re.fullmatch(r"(mailto:[^\s@]+@|https://|tel:\+)\S+", contact):
            self._wrong(
                f"SECURITY_CONTACT is {contact!r}: set it to an address like mailto:security@example.com, or to the "
                "page that tells how to report a hole."
            )
        return contact

    def _secret_key(self) -> str:
        key = self.get("SECRET_KEY")
        how = "set it to the output of: python3 -c 'import secrets; print(secrets.token_hex(32))'"
        if key is None:
            self._wrong(f"SECRET_KEY is missing: {how}")
            return ""
        if not self.is_dev and (len(key) < SECRET_KEY_BYTES or len(set(key)) < DIFFERENT_CHARACTERS):
            self._wrong(f"SECRET_KEY is too weak to sign sessions with: {how}")
        return key

    def _seal_keys(self) -> Keys:
        keys = self._keys("SEAL_KEYS", SEAL_KEY, "secrets of 32 bytes or more")
        if keys is None and not self.is_dev:
            self._wrong(f"SEAL_KEYS is missing, without which the books cannot be sealed: {HOW_KEYS}")
        return keys or ()

    def _field_keys(self) -> Keys:
        keys = self._keys("FIELD_KEYS", FIELD_KEY, "secrets of exactly 32 bytes")
        if keys is None:
            if not self.is_dev:
                self._wrong(f"FIELD_KEYS is missing, without which no secret can be stored: {HOW_KEYS}")
            return ()
        if len({key for _, key in keys}) < len(keys):
            self._wrong(
                "FIELD_KEYS holds the same secret under two ids: to rotate, give the new id a new one."
            )
        elif not self.is_dev and any(len(set(key.hex())) < DIFFERENT_CHARACTERS for _, key in keys):
            self._wrong(f"FIELD_KEYS holds a secret that nobody drew by lot: {HOW_KEYS}")
        return keys

    def _keys(self, name: str, form: re.Pattern[str], told: str) -> Keys | None:
        """The ids and secrets of that setting, the newest first; `None` when it is missing."""
        text = self.get(name)
        if text is None:
            return None
        keys = [each.strip().partition(":") for each in text.split(",")]
        if not all(KEY_ID.fullmatch(key_id) and form.fullmatch(key) for key_id, _, key in keys):
            self._wrong(f"{name} is not a list of ids and {told} in hexadecimal: {HOW_KEYS}")
            return ()
        if len({key_id for key_id, _, _ in keys}) < len(keys):
            self._wrong(f"{name} names two keys alike: give each an id of its own, the newest first.")
        return tuple((key_id, bytes.fromhex(key)) for key_id, _, key in keys)

    def _database(self, name: str, *, needed: bool = True) -> str | None:
        url = self.get(name)
        if url is None:
            if needed:
                self._wrong(
                    f"{name} is missing: start ./run, which brings a database of its own, or set it to an address "
                    "like postgresql://advancia_app:password@db.example.com/advancia."
                )
            return None
        if not re.match(r"^postgres(ql)?(\+psycopg)?://", url):
            self._wrong(
                f"{name} does not begin with postgresql://. PostgreSQL 15 or later is the one database we use."
            )
        return url.replace("+psycopg://", "://", 1)  # SQLAlchemy's spelling, which libpq does not understand

    def _redis(self) -> str:
        url = self.get("REDIS_URL")
        if url is None:
            self._wrong(
                "REDIS_URL is missing: start ./run, which brings a Valkey of its own, or set it to an address "
                "like redis://cache.example.com:6379/0."
            )
            return ""
        if not re.match(r"^(rediss?|unix)://", url):
            self._wrong(f"REDIS_URL is {url!r}: it must begin with redis://, rediss:// or unix://.")
        return url

    def _stripe(self) -> tuple[str | None, tuple[str, ...]]:
        key = self.get("STRIPE_SECRET_KEY")
        secrets = tuple((self.get("STRIPE_WEBHOOK_SECRET") or "").replace(",", " ").split())
        if key and not re.match(r"^(sk|rk)_(test|live)_", key):
            self._wrong(
                "STRIPE_SECRET_KEY does not look like one: copy the key that begins with sk_live_ or sk_test_."
            )
        if key and not secrets:
            self._wrong(
                "STRIPE_WEBHOOK_SECRET is missing though STRIPE_SECRET_KEY is set: copy the signing secret (whsec_…) "
                "of the webhook endpoint; separate several with a comma while you rotate them."
            )
        return key, secrets

    def _cryptomus(self) -> tuple[str | None, tuple[str, ...]]:
        merchant = self.get("CRYPTOMUS_MERCHANT")
        keys = tuple((self.get("CRYPTOMUS_PAYMENT_KEY") or "").replace(",", " ").split())
        if (merchant is None) != (not keys):
            self._wrong(
                "CRYPTOMUS_MERCHANT and CRYPTOMUS_PAYMENT_KEY belong together: copy both from the merchant's settings "
                "at Cryptomus, or set neither."
            )
        if merchant and not MERCHANT.fullmatch(merchant):
            self._wrong(
                "CRYPTOMUS_MERCHANT does not look like one: it is a UUID, like 8b03432e-385b-4670-8d06-064591096795."
            )
        return merchant, keys

    def _allowed_addresses(self) -> tuple[str, ...]:
        text = self.get("CRYPTOMUS_ALLOWED_ADDRESSES") or CRYPTOMUS_ADDRESS
        addresses = tuple(text.replace(",", " ").split())
        for each in addresses:
            try:
                ipaddress.ip_network(each, strict=False)
            except ValueError:
                self._wrong(
                    f"CRYPTOMUS_ALLOWED_ADDRESSES names {each!r}: list addresses or networks, like {CRYPTOMUS_ADDRESS}."
                )
        return addresses

    def _smtp(self) -> str | None:
        url = self.get("SMTP_URL")
        if url is None:
            if not self.is_dev:
                self._wrong(
                    "SMTP_URL is missing: set it to an address like smtp://user:password@mail.example.com:587."
                )
            return None
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            self._wrong(
                "SMTP_URL must look like smtp://user:password@mail.example.com:587 (or smtps://…:465)."
            )
        return url

    def _log_level(self) -> str:
        level = (self.get("LOG_LEVEL") or "INFO").upper()
        if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            self._wrong(f"LOG_LEVEL is {level!r}: set it to DEBUG, INFO, WARNING or ERROR.")
        return level

    def _backups(self) -> BackupSettings:
        pg_bin = self.get("BACKUP_PG_BIN")
        return BackupSettings(
            target=self._backup_target(),
            recipients=self._backup_recipients(),
            pg_bin=Path(pg_bin) if pg_bin else None,
            s3_endpoint=self._backup_endpoint(),
            s3_region=self.get("BACKUP_S3_REGION"),
            s3_key_id=self.get("BACKUP_S3_KEY_ID"),
            s3_secret=self.get("BACKUP_S3_SECRET"),
            s3_read_key_id=self.get("BACKUP_S3_READ_KEY_ID"),
            s3_read_secret=self.get("BACKUP_S3_READ_SECRET"),
            scratch_url=self._database("BACKUP_SCRATCH_URL", needed=False),
            log=Path(self.get("BACKUP_LOG") or self.var / PROOFS_LOG),
        )

    def _backup_target(self) -> str | None:
        target = self.get("BACKUP_TARGET")
        if target is None:
            return str(self.var / "backups") if self.is_dev else None
        if not (BUCKET.fullmatch(target) or target.startswith("/")):
            self._wrong(
                f"BACKUP_TARGET is {target!r}: set it to a folder, from / on, or to a bucket like "
                "s3://company-backups/advancia."
            )
        return target

    def _backup_recipients(self) -> tuple[str, ...]:
        recipients = tuple((self.get("BACKUP_RECIPIENTS") or "").replace(",", " ").split())
        for each in recipients:
            if not AGE_RECIPIENT.fullmatch(each):
                self._wrong(
                    "BACKUP_RECIPIENTS holds something that is no age public key (age1…): flask backup keygen makes "
                    "one. Its secret half (AGE-SECRET-KEY-…) does not belong on this machine."
                )
        return recipients

    def _backup_endpoint(self) -> str | None:
        url = self.get("BACKUP_S3_ENDPOINT")
        if url and not re.match(r"https?://[^\s/]+", url):
            self._wrong(
                f"BACKUP_S3_ENDPOINT is {url!r}: set it to an address like https://s3.eu-central-1.amazonaws.com."
            )
        elif url and not self.is_dev and not url.startswith("https://"):
            self._wrong("BACKUP_S3_ENDPOINT must begin with https:// outside development.")
        return url
