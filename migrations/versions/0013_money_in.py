"""Money in: what became of deposits, refunds, disputes, unmatched payments, and each try at a webhook.

Revision ID: 0013_money_in
Revises: 0012_secrets
"""

import sqlalchemy as sa
from alembic import op

revision = "0013_money_in"
down_revision = "0012_secrets"
branch_labels = None
depends_on = None

AMOUNT = sa.Numeric(38, 0)
MOMENT = sa.DateTime(timezone=True)

# What lies at the simulated crypto provider, and in our bank account once a provider has paid it out.
PURPOSES = """
insert into ledger.purpose (name, of_house, floor)
values ('clearing.sandbox_crypto', true, null), ('bank', true, null);
"""


def upgrade() -> None:
    op.execute(PURPOSES)
    change_deposits()
    add_customers()
    add_refunds()
    add_disputes()
    add_stray_payments()
    change_webhooks()


def downgrade() -> None:
    raise NotImplementedError("Books are not unwritten. Restore the backup from before the upgrade instead.")


def change_deposits() -> None:
    for name in ("payment_id", "customer", "provider_state", "network", "txid"):
        op.add_column("deposit", sa.Column(name, sa.Text(), nullable=True))
    op.add_column("deposit", sa.Column("credited", AMOUNT, nullable=True))
    op.execute("UPDATE deposit SET credited = amount WHERE state = 'paid'")
    op.drop_constraint(op.f("ck_deposit_state_known"), "deposit", type_="check")
    op.create_check_constraint(
        op.f("ck_deposit_state_known"),
        "deposit",
        "state IN ('created', 'pending', 'paid', 'failed', 'expired', 'locked', 'returned')",
    )
    op.create_check_constraint(
        op.f("ck_deposit_paid_has_amount"), "deposit", "(state = 'paid') = (credited IS NOT NULL)"
    )
    op.create_index("ix_deposit_payment_id", "deposit", ["payment_id"], postgresql_where=sa.text("payment_id IS NOT NULL"))


def add_customers() -> None:
    op.create_table(
        "provider_customer",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_provider_customer_user_id_users")),
        sa.PrimaryKeyConstraint("user_id", "provider", name=op.f("pk_provider_customer")),
    )


def add_refunds() -> None:
    op.create_table(
        "refund",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("deposit_id", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("provider_refund_id", sa.Text(), nullable=True),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("amount", AMOUNT, nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'asked'"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("asked_by", sa.BigInteger(), nullable=True),
        sa.Column("created_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("sent_at", MOMENT, nullable=True),
        sa.Column("settled_at", MOMENT, nullable=True),
        sa.CheckConstraint("state IN ('asked', 'pending', 'succeeded', 'failed')", name=op.f("ck_refund_state_known")),
        sa.CheckConstraint("amount > 0", name=op.f("ck_refund_amount_positive")),
        sa.ForeignKeyConstraint(["deposit_id"], ["deposit.id"], name=op.f("fk_refund_deposit_id_deposit")),
        sa.ForeignKeyConstraint(["asked_by"], ["users.id"], name=op.f("fk_refund_asked_by_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refund")),
        sa.UniqueConstraint("deposit_id", "request_id", name=op.f("uq_refund_deposit_id_request_id")),
        sa.UniqueConstraint("provider", "provider_refund_id", name=op.f("uq_refund_provider_provider_refund_id")),
    )
    op.create_index("ix_refund_open", "refund", ["created_at"], postgresql_where=sa.text("state IN ('asked', 'pending')"))


def add_disputes() -> None:
    op.create_table(
        "dispute",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("deposit_id", sa.Uuid(), nullable=True),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("amount", AMOUNT, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("withheld", AMOUNT, nullable=True),
        sa.Column("resolved", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("taken", AMOUNT, nullable=True),
        sa.Column("fee_booked", AMOUNT, nullable=True),
        sa.Column("due_by", MOMENT, nullable=True),
        sa.Column("opened_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("closed_at", MOMENT, nullable=True),
        sa.CheckConstraint("state IN ('inquiry', 'open', 'won', 'lost', 'dropped')", name=op.f("ck_dispute_state_known")),
        sa.ForeignKeyConstraint(["deposit_id"], ["deposit.id"], name=op.f("fk_dispute_deposit_id_deposit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispute")),
    )
    op.create_index("ix_dispute_deposit_id", "dispute", ["deposit_id"])
    op.create_index("ix_dispute_open", "dispute", ["due_by"], postgresql_where=sa.text("state IN ('inquiry', 'open')"))


def add_stray_payments() -> None:
    op.create_table(
        "stray_payment",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("deposit_id", sa.Uuid(), nullable=True),
        sa.Column("asset", sa.Text(), nullable=True),
        sa.Column("amount", AMOUNT, nullable=True),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("noted_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("resolved_at", MOMENT, nullable=True),
        sa.Column("resolved_by", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("state IN ('open', 'credited', 'returned')", name=op.f("ck_stray_payment_state_known")),
        sa.CheckConstraint(
            "(state = 'credited') = (user_id IS NOT NULL)", name=op.f("ck_stray_payment_credited_to_somebody")
        ),
        sa.ForeignKeyConstraint(["deposit_id"], ["deposit.id"], name=op.f("fk_stray_payment_deposit_id_deposit")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_stray_payment_user_id_users")),
        sa.ForeignKeyConstraint(["resolved_by"], ["users.id"], name=op.f("fk_stray_payment_resolved_by_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stray_payment")),
        sa.UniqueConstraint("provider", "payment_id", name=op.f("uq_stray_payment_provider_payment_id")),
    )
    op.create_index("ix_stray_payment_open", "stray_payment", ["noted_at"], postgresql_where=sa.text("state = 'open'"))


def change_webhooks() -> None:
    op.add_column("webhook_event", sa.Column("verification", sa.Text(), nullable=True))
    op.add_column("webhook_event", sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.create_index("ix_webhook_event_parked", "webhook_event", ["received_at"], postgresql_where=sa.text("state = 'parked'"))
    op.create_index("ix_webhook_event_kind", "webhook_event", ["provider", "kind", "received_at"])
    op.create_table(
        "webhook_try",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("tried_at", MOMENT, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"], ["webhook_event.id"], name=op.f("fk_webhook_try_event_id_webhook_event"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_try")),
    )
    op.create_index("ix_webhook_try_event_id_id", "webhook_try", ["event_id", "id"])
