"""The launch check.

Revision ID: 0019_launch
Revises: 0018_reconciliation
"""

revision = "0019_launch"
down_revision = "0018_reconciliation"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    raise NotImplementedError("Books are not unwritten. Restore the backup from before the upgrade instead.")
