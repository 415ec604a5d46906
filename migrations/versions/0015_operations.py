"""Alarms, signs of life, and what a job had to say.

Revision ID: 0015_operations
Revises: 0014_money_back
"""

import sqlalchemy as sa
from alembic import op

revision = "0015_operations"
down_revision = "0014_money_back"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("outbox", sa.Column("outcome", sa.Text(), nullable=True))
    op.create_table(
        "alarm",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("is_critical", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("times", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("first_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("last_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("over_at", MOMENT, nullable=True),
        sa.Column("silenced_by", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm")),
    )
    op.create_index("uq_alarm_open", "alarm", ["what", "about"], unique=True, postgresql_where=sa.text("over_at IS NULL"))
    op.create_index("ix_alarm_last_at", "alarm", ["last_at"])
    op.create_table(
        "heartbeat",
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column("started_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("process", "instance", name=op.f("pk_heartbeat")),
    )



def downgrade() -> None:
    raise NotImplementedError("Books are not unwritten. Restore the backup from before the upgrade instead.")
