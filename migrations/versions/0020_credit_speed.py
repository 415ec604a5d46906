"""Credits in fewer round trips.

Revision ID: 0020_credit_speed
Revises: 0019_launch
"""

revision = "0020_credit_speed"
down_revision = "0019_launch"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    raise NotImplementedError("Books are not unwritten. Restore the backup from before the upgrade instead.")
