"""What the ledger gains in speed after its first benchmark.

Revision ID: 0006_ledger_speed
Revises: 0005_horizon
"""

revision = "0006_ledger_speed"
down_revision = "0005_horizon"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    raise NotImplementedError("Books are not unwritten. Restore the backup from before the upgrade instead.")
