"""Batches: many postings in one call.

Revision ID: 0004_batches
Revises: 0003_movements
"""

from pathlib import Path

from alembic import op

revision = "0004_batches"
down_revision = "0003_movements"
branch_labels = None
depends_on = None

FOLDER = Path(__file__).parent.parent / "sql" / "ledger"
FILES = (
    "0004_whole_transactions.sql",
    "0004_open_or_refuse.sql",
    "0004_lock_accounts.sql",
    "0004_decide.sql",
    "0004_post_many.sql",
    "0004_grants.sql",
)


def upgrade() -> None:
    for name in FILES:
        run_script((FOLDER / name).read_text(encoding="utf-8"))


def downgrade() -> None:
    raise NotImplementedError("The ledger is never taken back. Restore a backup from before it instead.")


def run_script(sql: str) -> None:
    """Run a file of statements as it is: without parameters, so that % and : mean nothing special."""
    op.get_bind().exec_driver_sql(sql, execution_options={"no_parameters": True})
