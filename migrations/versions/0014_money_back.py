"""Money back: refunds to an address and out of suspense, what banks take from there, and who decides on large ones.

Revision ID: 0014_money_back
Revises: 0013_money_in
"""

import sqlalchemy as sa
from alembic import op

revision = "0014_money_back"
down_revision = "0013_money_in"
branch_labels = None
depends_on = None

AMOUNT = sa.Numeric(38, 0)


def upgrade() -> None:
    change_stray_payments()
    change_refunds()
    change_disputes()
    change_approvals()


def downgrade() -> None:
    raise NotImplementedError("Books are not unwritten. Restore the backup from before the upgrade instead.")


def change_stray_payments() -> None:
    op.add_column("stray_payment", sa.Column("taken", AMOUNT, server_default=sa.text("0"), nullable=False))
    op.add_column("stray_payment", sa.Column("network", sa.Text(), nullable=True))
    op.execute("UPDATE stray_payment SET taken = amount WHERE state = 'returned' AND amount IS NOT NULL")
    op.execute("UPDATE stray_payment s SET network = d.network FROM deposit d WHERE d.id = s.deposit_id")
    op.drop_constraint(op.f("ck_stray_payment_state_known"), "stray_payment", type_="check")
    op.create_check_constraint(
        op.f("ck_stray_payment_state_known"),
        "stray_payment",
        "state IN ('open', 'credited', 'returned', 'taken')",
    )
    op.create_check_constraint(
        op.f("ck_stray_payment_taken_at_most_all"),
        "stray_payment",
        "taken >= 0 AND taken <= coalesce(amount, 0)",
    )


def change_refunds() -> None:
    op.add_column("refund", sa.Column("stray_id", sa.BigInteger(), nullable=True))
    op.add_column("refund", sa.Column("address", sa.Text(), nullable=True))
    op.add_column(
        "refund", sa.Column("borne_by_house", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.alter_column("refund", "deposit_id", nullable=True)
    op.create_foreign_key(
        op.f("fk_refund_stray_id_stray_payment"), "refund", "stray_payment", ["stray_id"], ["id"]
    )
    op.create_unique_constraint(op.f("uq_refund_stray_id_request_id"), "refund", ["stray_id", "request_id"])
    op.create_check_constraint(
        op.f("ck_refund_of_one_payment"), "refund", "num_nonnulls(deposit_id, stray_id) = 1"
    )


def change_disputes() -> None:
    op.add_column("dispute", sa.Column("stray_id", sa.BigInteger(), nullable=True))
    op.add_column(
        "dispute", sa.Column("borne_by_house", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.create_foreign_key(
        op.f("fk_dispute_stray_id_stray_payment"), "dispute", "stray_payment", ["stray_id"], ["id"]
    )
    op.create_index("ix_dispute_payment_id", "dispute", ["provider", "payment_id"])
    op.execute(
        "UPDATE dispute d SET stray_id = s.id FROM stray_payment s "
        "WHERE s.provider = d.provider AND s.payment_id = d.payment_id AND s.state = 'open'"
    )


def change_approvals() -> None:
    op.drop_constraint(op.f("ck_approval_kind_known"), "approval", type_="check")
    op.create_check_constraint(
        op.f("ck_approval_kind_known"),
        "approval",
        "kind IN ('rollback', 'refund', 'stray_credit', 'stray_return')",
    )
