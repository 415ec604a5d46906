"""The lockdown: one switch that stops money.

Revision ID: 0017_lockdown
Revises: 0016_backups
"""

revision = "0017_lockdown"
down_revision = "0016_backups"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    raise NotImplementedError("Books are not unwritten. Restore the backup from before the upgrade instead.")
