"""The ledger: its tables, its rules and the one function that moves money.

Revision ID: 0001_ledger
Revises:
"""

from pathlib import Path

from alembic import op

revision = "0001_ledger"
down_revision = None
branch_labels = None
depends_on = None

FOLDER = Path(__file__).parent.parent / "sql" / "ledger"
FILES = (
    "0001_tables.sql",
    "0001_vocabulary.sql",
    "0001_fingerprint.sql",
    "0001_append_only.sql",
    "0001_whole_transactions.sql",
    "0001_open_house_account.sql",
    "0001_open_or_refuse.sql",
    "0001_post.sql",
    "0001_txn_id_at.sql",
    "0001_grants.sql",
)


def upgrade() -> None:
    for name in FILES:
        run_script((FOLDER / name).read_text(encoding="utf-8"))


def downgrade() -> None:
    raise NotImplementedError("The ledger is never taken back. Restore a backup from before it instead.")


def run_script(sql: str) -> None:
    """Run a file of statements as it is: without parameters, so that % and : mean nothing special."""
    op.get_bind().exec_driver_sql(sql, execution_options={"no_parameters": True})
