"""What sessions remember about how they were proved.

Revision ID: 0007_security
Revises: 0006_ledger_speed
"""

revision = "0007_security"
down_revision = "0006_ledger_speed"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    raise NotImplementedError("Books are not unwritten. Restore the backup from before the upgrade instead.")
