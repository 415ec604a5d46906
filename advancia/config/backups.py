"""Where backups go, and who can open them."""

from __future__ import annotations

import re
from pathlib import Path

from advancia.config import servers
from advancia.config.given import Given
from advancia.config.settings import BackupSettings

PROOFS_LOG = "BACKUP_RESTORE_TEST_LOG.txt"
AGE_RECIPIENT = re.compile(r"age1[02-9ac-hj-np-z]{58}")
BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[A-Za-z0-9_.=/-]*)?")


def backups(given: Given) -> BackupSettings:
    pg_bin = given.get("BACKUP_PG_BIN")
    return BackupSettings(
        target=_target(given),
        recipients=_recipients(given),
        pg_bin=Path(pg_bin) if pg_bin else None,
        s3_endpoint=_endpoint(given),
        s3_region=given.get("BACKUP_S3_REGION"),
        s3_key_id=given.get("BACKUP_S3_KEY_ID"),
        s3_secret=given.get("BACKUP_S3_SECRET"),
        s3_read_key_id=given.get("BACKUP_S3_READ_KEY_ID"),
        s3_read_secret=given.get("BACKUP_S3_READ_SECRET"),
        scratch_url=servers.database(given, "BACKUP_SCRATCH_URL", needed=False),
        log=Path(given.get("BACKUP_LOG") or given.var / PROOFS_LOG),
    )


def _target(given: Given) -> str | None:
    target = given.get("BACKUP_TARGET")
    if target is None:
        return str(given.var / "backups") if given.is_dev else None
    if not (BUCKET.fullmatch(target) or target.startswith("/")):
        given.wrong(
            f"BACKUP_TARGET is {target!r}: set it to a folder, from / on, or to a bucket like "
            "s3://company-backups/advancia."
        )
    return target


def _recipients(given: Given) -> tuple[str, ...]:
    recipients = tuple((given.get("BACKUP_RECIPIENTS") or "").replace(",", " ").split())
    for each in recipients:
        if not AGE_RECIPIENT.fullmatch(each):
            given.wrong(
                "BACKUP_RECIPIENTS holds something that is no age public key (age1…): flask backup keygen makes "
                "one. Its secret half (AGE-SECRET-KEY-…) does not belong on this machine."
            )
    return recipients


def _endpoint(given: Given) -> str | None:
    url = given.get("BACKUP_S3_ENDPOINT")
    if url and not re.match(r"https?://[^\s/]+", url):
        given.wrong(
            f"BACKUP_S3_ENDPOINT is {url!r}: set it to an address like https://s3.eu-central-1.amazonaws.com."
        )
    elif url and not given.is_dev and not url.startswith("https://"):
        given.wrong("BACKUP_S3_ENDPOINT must begin with https:// outside development.")
    return url
