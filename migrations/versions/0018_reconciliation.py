"""Reconciliation: runs, what they compared, and what differed.

Revision ID: 0018_reconciliation
Revises: 0017_lockdown
"""

revision = "0018_reconciliation"
down_revision = "0017_lockdown"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    raise NotImplementedError("Books are not unwritten. Restore the backup from before the upgrade instead.")
