"""What sessions remember about how they were proved.

Revision ID: 0007_security
Revises: 0006_ledger_speed
"""

import sqlalchemy as sa
from alembic import op

revision = "0007_security"
down_revision = "0006_ledger_speed"
branch_labels = None
depends_on = None


def upgrade() -> None:
    now = sa.text("now()")
    moment = sa.DateTime(timezone=True)
    op.add_column("users", sa.Column("password_changed_at", moment, server_default=now, nullable=False))
    op.add_column("users", sa.Column("second_factor_since", moment, nullable=True))
    op.add_column("user_session", sa.Column("confirmed_at", moment, server_default=now, nullable=False))
    op.add_column("user_session", sa.Column("second_factor_at", moment, nullable=True))


def downgrade() -> None:
    raise NotImplementedError("Books are not unwritten. Restore the backup from before the upgrade instead.")
