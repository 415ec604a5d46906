"""Backups and their proofs.

Revision ID: 0016_backups
Revises: 0015_operations
"""

revision = "0016_backups"
down_revision = "0015_operations"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    raise NotImplementedError("Books are not unwritten. Restore the backup from before the upgrade instead.")
