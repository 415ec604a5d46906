"""What a parked event waits for: the payment in suspense that it is about.

Revision ID: 0021_parked_events
Revises: 0020_credit_speed
"""

import sqlalchemy as sa
from alembic import op

revision = "0021_parked_events"
down_revision = "0020_credit_speed"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("webhook_event", sa.Column("payment_id", sa.Text(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("Books are not unwritten. Restore the backup from before the upgrade instead.")
