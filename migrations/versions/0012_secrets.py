"""What the rotation of field keys needs.

Revision ID: 0012_secrets
Revises: 0011_staff
"""

revision = "0012_secrets"
down_revision = "0011_staff"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    raise NotImplementedError("Books are not unwritten. Restore the backup from before the upgrade instead.")
