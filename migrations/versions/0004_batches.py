"""Batches: many postings in one call.

Revision ID: 0004_batches
Revises: 0003_movements
"""

revision = "0004_batches"
down_revision = "0003_movements"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    raise NotImplementedError("The ledger is never taken back. Restore a backup from before it instead.")
