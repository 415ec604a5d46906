"""Alarms, signs of life, the clock's memory, the proofs of the whole ledger, and what a job had to say.

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
    add_outcomes()
    add_alarms()
    add_signs_of_life()
    op.create_table(
        "full_proof",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("proven_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("seals", sa.BigInteger(), nullable=False),
        sa.Column("differences", sa.Integer(), nullable=False),
        sa.Column("head", sa.Text(), nullable=True),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.CheckConstraint("verdict IN ('proven', 'empty', 'wrong')", name=op.f("ck_full_proof_verdict_known")),
        sa.CheckConstraint(
            "(verdict = 'wrong') = (differences > 0)", name=op.f("ck_full_proof_wrong_by_differences")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_full_proof")),
    )


def add_outcomes() -> None:
    op.add_column("outbox", sa.Column("outcome", sa.Text(), nullable=True))
    op.add_column("outbox", sa.Column("seconds", sa.Double(), nullable=True))
    op.create_index(
        "ix_outbox_recurring", "outbox", ["kind", "id"], postgresql_where=sa.text("unique_key IS NOT NULL")
    )


def add_alarms() -> None:
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
        sa.Column("silenced_at", MOMENT, nullable=True),
        sa.Column("silenced_by", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(silenced_at IS NULL) = (silenced_by IS NULL) AND (silenced_at IS NULL) = (reason IS NULL)",
            name=op.f("ck_alarm_silenced_by_somebody_with_a_reason"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm")),
    )
    op.create_index("uq_alarm_open", "alarm", ["what", "about"], unique=True, postgresql_where=sa.text("over_at IS NULL"))
    op.create_index("ix_alarm_over_at", "alarm", ["over_at"])


def add_signs_of_life() -> None:
    op.create_table(
        "heartbeat",
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column("started_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("process", "instance", name=op.f("pk_heartbeat")),
    )
    op.create_table(
        "clock_line",
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("known_since", MOMENT, nullable=False),
        sa.Column("turn", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("job", name=op.f("pk_clock_line")),
    )


def downgrade() -> None:
    raise NotImplementedError("Books are not unwritten. Restore the backup from before the upgrade instead.")
