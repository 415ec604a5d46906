"""Holds and how they end, reversals and refunds: transactions that speak of an earlier one.

Revision ID: 0003_movements
Revises: 0002_first_loop
"""

from pathlib import Path

from alembic import op

revision = "0003_movements"
down_revision = "0002_first_loop"
branch_labels = None
depends_on = None

FOLDER = Path(__file__).parent.parent / "sql" / "ledger"
FILES = (
    "0003_links.sql",
    "0003_linked_fingerprint.sql",
    "0003_cheaper_guards.sql",
    "0003_whole_transactions.sql",
    "0003_post.sql",
    "0003_begin_posting.sql",
    "0003_move.sql",
    "0003_takeable.sql",
    "0003_legs_of.sql",
    "0003_post_linked.sql",
    "0003_hold.sql",
    "0003_resolve.sql",
    "0003_reverse.sql",
    "0003_refund.sql",
    "0003_grants.sql",
)


def upgrade() -> None:
    for name in FILES:
        run_script((FOLDER / name).read_text(encoding="utf-8"))


def downgrade() -> None:
    raise NotImplementedError("The ledger is never taken back. Restore a backup from before it instead.")


def run_script(sql: str) -> None:
    """Run a file of statements as it is: without parameters, so that % and : mean nothing special."""
    op.get_bind().exec_driver_sql(sql, execution_options={"no_parameters": True})
