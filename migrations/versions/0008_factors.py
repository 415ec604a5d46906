"""Second factors: one-time codes, passkeys and recovery codes.

Revision ID: 0008_factors
Revises: 0007_security
"""

revision = "0008_factors"
down_revision = "0007_security"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    raise NotImplementedError("Books are not unwritten. Restore the backup from before the upgrade instead.")
