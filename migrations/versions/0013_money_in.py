"""Money in: what became of deposits, refunds, disputes, unmatched payments, and each try at a webhook.

Revision ID: 0013_money_in
Revises: 0012_secrets
"""

revision = "0013_money_in"
down_revision = "0012_secrets"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    raise NotImplementedError("Books are not unwritten. Restore the backup from before the upgrade instead.")
