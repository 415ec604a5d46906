"""Counters of tries that must not be lost with the cache.

Revision ID: 0010_limits
Revises: 0009_recovery
"""

revision = "0010_limits"
down_revision = "0009_recovery"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    raise NotImplementedError("Books are not unwritten. Restore the backup from before the upgrade instead.")
