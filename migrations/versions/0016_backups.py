"""Backups and their proofs.

Revision ID: 0016_backups
Revises: 0015_operations
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016_backups"
down_revision = "0015_operations"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
JSONB = postgresql.JSONB(astext_type=sa.Text())

# A dump reads the sequences; the app's role has to suffice for one.
GRANTS = """
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public, ledger TO advancia_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON SEQUENCES TO advancia_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA ledger GRANT SELECT ON SEQUENCES TO advancia_app;
"""


def upgrade() -> None:
    add_backups()
    add_proofs()
    op.execute(GRANTS)


def downgrade() -> None:
    raise NotImplementedError("Books are not unwritten. Restore the backup from before the upgrade instead.")


def add_backups() -> None:
    op.create_table(
        "backup",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.BigInteger(), nullable=True),
        sa.Column("begun_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.Column("pruned_at", MOMENT, nullable=True),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("stored_bytes", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("manifest", JSONB, nullable=True),
        sa.Column("written_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("expected_bytes", sa.BigInteger(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("proof_identity", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("why IN ('daily', 'asked', 'safety')", name=op.f("ck_backup_why_known")),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'done', 'failed', 'pruned')", name=op.f("ck_backup_state_known")
        ),
        sa.CheckConstraint(
            "state NOT IN ('done', 'pruned') OR (finished_at IS NOT NULL AND stored_bytes IS NOT NULL"
            " AND sha256 IS NOT NULL AND manifest IS NOT NULL)",
            name=op.f("ck_backup_done_is_whole"),
        ),
        sa.CheckConstraint("(state = 'failed') = (failure IS NOT NULL)", name=op.f("ck_backup_failed_says_why")),
        sa.CheckConstraint("(state = 'pruned') = (pruned_at IS NOT NULL)", name=op.f("ck_backup_pruned_says_when")),
        sa.CheckConstraint("proof_identity IS NULL OR state = 'done'", name=op.f("ck_backup_only_done_has_key")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backup")),
        sa.UniqueConstraint("name", name=op.f("uq_backup_name")),
    )
    for state in ("running", "waiting"):
        op.create_index(
            f"uq_backup_{state}", "backup", ["state"], unique=True, postgresql_where=sa.text(f"state = '{state}'")
        )
    op.create_index("ix_backup_state_begun_at", "backup", ["state", "begun_at"])


def add_proofs() -> None:
    op.create_table(
        "backup_proof",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("backup_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'running'"), nullable=False),
        sa.Column("asked_by", sa.BigInteger(), nullable=True),
        sa.Column("begun_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("findings", JSONB, server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("restore_seconds", sa.Double(), nullable=True),
        sa.Column("lag_seconds", sa.Double(), nullable=True),
        sa.CheckConstraint("state IN ('running', 'passed', 'failed')", name=op.f("ck_backup_proof_state_known")),
        sa.CheckConstraint(
            "(state = 'running') = (finished_at IS NULL)", name=op.f("ck_backup_proof_finished_says_when")
        ),
        sa.CheckConstraint(
            "(state = 'failed') = (reason IS NOT NULL)", name=op.f("ck_backup_proof_failed_says_why")
        ),
        sa.ForeignKeyConstraint(["backup_id"], ["backup.id"], name=op.f("fk_backup_proof_backup_id_backup")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backup_proof")),
    )
    op.create_index("ix_backup_proof_backup_id", "backup_proof", ["backup_id"])
    op.create_index("ix_backup_proof_state_finished_at", "backup_proof", ["state", "finished_at"])
