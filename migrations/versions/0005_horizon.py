"""Time and proof: the horizon, roll-ups of the house's accounts, as-of balances, seals, checkpoints, and the audit trail.

Revision ID: 0005_horizon
Revises: 0004_batches
"""

from pathlib import Path

from alembic import op

revision = "0005_horizon"
down_revision = "0004_batches"
branch_labels = None
depends_on = None

FOLDER = Path(__file__).parent.parent / "sql" / "ledger"
FILES = ()


def upgrade() -> None:
    for name in FILES:
        run_script((FOLDER / name).read_text(encoding="utf-8"))


def downgrade() -> None:
    raise NotImplementedError("The ledger is never taken back. Restore a backup from before it instead.")


def run_script(sql: str) -> None:
    """Run a file of statements as it is: without parameters, so that % and : mean nothing special."""
    op.get_bind().exec_driver_sql(sql, execution_options={"no_parameters": True})
