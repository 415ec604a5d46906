"""Ways back in: password resets, changes of address, resets of a lost factor.

Revision ID: 0009_recovery
Revises: 0008_factors
"""

revision = "0009_recovery"
down_revision = "0008_factors"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    raise NotImplementedError("Books are not unwritten. Restore the backup from before the upgrade instead.")
