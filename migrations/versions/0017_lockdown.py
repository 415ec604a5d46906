"""The lockdown: one switch that stops money.

Revision ID: 0017_lockdown
Revises: 0016_backups
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0017_lockdown"
down_revision = "0016_backups"
branch_labels = None
depends_on = None

FREEZING = Path(__file__).parent.parent / "sql" / "ledger" / "0017_freezing.sql"


def upgrade() -> None:
    op.create_table(
        "lockdown",
        sa.Column("is_one", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("set_by", sa.BigInteger(), nullable=True),
        sa.Column("is_total", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint("is_one", name=op.f("ck_lockdown_is_one")),
        sa.CheckConstraint("(since IS NULL) = (reason IS NULL)", name=op.f("ck_lockdown_says_why")),
        sa.CheckConstraint("since IS NOT NULL OR NOT is_total", name=op.f("ck_lockdown_total_is_on")),
        sa.PrimaryKeyConstraint("is_one", name=op.f("pk_lockdown")),
    )
    op.execute("INSERT INTO lockdown DEFAULT VALUES")
    op.get_bind().exec_driver_sql(FREEZING.read_text(encoding="utf-8"), execution_options={"no_parameters": True})


def downgrade() -> None:
    raise NotImplementedError("Books are not unwritten. Restore the backup from before the upgrade instead.")
