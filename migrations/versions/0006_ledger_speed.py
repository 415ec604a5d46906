"""What the ledger gains in speed after its first benchmark.

Revision ID: 0006_ledger_speed
Revises: 0005_horizon
"""

from pathlib import Path

from alembic import op

revision = "0006_ledger_speed"
down_revision = "0005_horizon"
branch_labels = None
depends_on = None

FOLDER = Path(__file__).parent.parent / "sql" / "ledger"
FILES = (
    "0006_filing.sql",
    "0006_whole_transactions.sql",
    "0006_open_or_refuse.sql",
    "0006_move.sql",
    "0006_post_linked.sql",
    "0006_post.sql",
    "0006_grants.sql",
)


def upgrade() -> None:
    for name in FILES:
        run_script((FOLDER / name).read_text(encoding="utf-8"))


def downgrade() -> None:
    raise NotImplementedError("The ledger is never taken back. Restore a backup from before it instead.")


def run_script(sql: str) -> None:
    """Run a file of statements as it is: without parameters, so that % and : mean nothing special."""
    op.get_bind().exec_driver_sql(sql, execution_options={"no_parameters": True})
