"""The secrets that wait in the outbox are stored encrypted.

Revision ID: 0012_secrets
Revises: 0011_staff
"""

import sqlalchemy as sa
from alembic import op

revision = "0012_secrets"
down_revision = "0011_staff"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The plain column stays: the version before this one still writes it while it is being replaced.
    op.add_column("outbox", sa.Column("encrypted_secret", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("Books are not unwritten. Restore the backup from before the upgrade instead.")
