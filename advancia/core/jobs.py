"""The names of all background jobs.

The product asks for a job by its name and never imports `worker`; a test proves that each name resolves.
"""

from __future__ import annotations

from enum import StrEnum


class Job(StrEnum):
    SEND_EMAIL = "send_email"
    OPEN_PASSWORD_RESET = "open_password_reset"  # noqa: S105 - a job, not a password
    ANNOUNCE_FACTOR_RESET = "announce_factor_reset"
    APPLY_WEBHOOK = "apply_webhook"
    EXPIRE_DEPOSITS = "expire_deposits"
    BOOK_FEE = "book_fee"
    SEND_REFUND = "send_refund"
    CHASE_PAYMENTS = "chase_payments"
    CHECK_LEDGER = "check_ledger"
    PROVE_LEDGER = "prove_ledger"
    ROLL_UP_LEDGER = "roll_up_ledger"
    SEAL_LEDGER = "seal_ledger"
    SWEEP = "sweep"
    RECONCILE = "reconcile"
    TELL_OF_LOCK = "tell_of_lock"
    TELL_OF_ALARM = "tell_of_alarm"
    CHECK_LAUNCH = "check_launch"
    PROVE_BACKUP = "prove_backup"
    BACK_UP = "back_up"
    PRUNE_BACKUPS = "prune_backups"
    WATCH_BACKUPS = "watch_backups"


# Of these, many are worth doing at once: `worker.tasks.batch_job` says how.
IN_BATCHES = frozenset({Job.APPLY_WEBHOOK})
