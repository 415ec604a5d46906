"""What the staff pages need.

Revision ID: 0011_staff
Revises: 0010_limits
"""

revision = "0011_staff"
down_revision = "0010_limits"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    raise NotImplementedError("Books are not unwritten. Restore the backup from before the upgrade instead.")
