"""Money back: refunds to an address, and what is given back out of suspense.

Revision ID: 0014_money_back
Revises: 0013_money_in
"""

revision = "0014_money_back"
down_revision = "0013_money_in"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    raise NotImplementedError("Books are not unwritten. Restore the backup from before the upgrade instead.")
