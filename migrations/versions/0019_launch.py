"""The launch check: its runs, and the mailbox of its canaries.

Revision ID: 0019_launch
Revises: 0018_reconciliation
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019_launch"
down_revision = "0018_reconciliation"
branch_labels = None
depends_on = None


MOMENT = sa.DateTime(timezone=True)
JSONB = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    op.create_table(
        "launch_run",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("asked_by", sa.BigInteger(), nullable=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("begun_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.Column("checks", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("findings", JSONB, server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('open', 'done', 'failed')", name=op.f("ck_launch_run_state_known")),
        sa.CheckConstraint("(state = 'open') = (finished_at IS NULL)", name=op.f("ck_launch_run_finished_says_when")),
        sa.CheckConstraint("(state = 'failed') = (failure IS NOT NULL)", name=op.f("ck_launch_run_failed_says_why")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_launch_run")),
    )
    op.create_index("uq_launch_run_open", "launch_run", ["state"], unique=True, postgresql_where=sa.text("state = 'open'"))
    op.create_index("ix_launch_run_begun_at", "launch_run", ["begun_at"])
    op.create_table(
        "canary_letter",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.Column("arrived_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_canary_letter")),
    )
    op.create_index("ix_canary_letter_email", "canary_letter", ["email"])


def downgrade() -> None:
    raise NotImplementedError("Books are not unwritten. Restore the backup from before the upgrade instead.")
