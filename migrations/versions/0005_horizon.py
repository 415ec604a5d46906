"""Time and proof: the horizon, roll-ups of the house's accounts, as-of balances, seals, checkpoints, and the audit trail.

Revision ID: 0005_horizon
Revises: 0004_batches
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005_horizon"
down_revision = "0004_batches"
branch_labels = None
depends_on = None

FOLDER = Path(__file__).parent.parent / "sql" / "ledger"
FILES = (
    "0005_audit.sql",
    "0005_horizon.sql",
    "0005_rollup.sql",
    "0005_as_of.sql",
    "0005_seal.sql",
    "0005_leaves.sql",
    "0005_checkpoint.sql",
    "0005_grants.sql",
)


def upgrade() -> None:
    op.create_table(
        "audit_record",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("object_kind", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_record")),
    )
    op.create_index("ix_audit_record_object_kind_object_id_id", "audit_record", ["object_kind", "object_id", "id"])
    op.create_index("ix_audit_record_actor_id_id", "audit_record", ["actor_id", "id"])
    for name in FILES:
        run_script((FOLDER / name).read_text(encoding="utf-8"))


def downgrade() -> None:
    raise NotImplementedError("The ledger is never taken back. Restore a backup from before it instead.")


def run_script(sql: str) -> None:
    """Run a file of statements as it is: without parameters, so that % and : mean nothing special."""
    op.get_bind().exec_driver_sql(sql, execution_options={"no_parameters": True})
