"""Ways back in: password resets, changes of address, resets of a lost factor.

Revision ID: 0009_recovery
Revises: 0008_factors
"""

import sqlalchemy as sa
from alembic import op

revision = "0009_recovery"
down_revision = "0008_factors"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
OPEN = sa.text("closed_at IS NULL")


def upgrade() -> None:
    # Passwords from before stand alone: they had to have fifteen characters.
    op.add_column("users", sa.Column("password_alone", sa.Boolean(), server_default=sa.text("true"), nullable=False))
    op.create_check_constraint(
        op.f("ck_users_short_password_has_factor"), "users", "password_alone OR second_factor_since IS NOT NULL"
    )
    _create(
        "password_reset",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.UniqueConstraint("token_hash", name=op.f("uq_password_reset_token_hash")),
    )
    _create(
        "email_change",
        sa.Column("old_email", sa.Text(), nullable=False),
        sa.Column("new_email", sa.Text(), nullable=False),
        sa.Column("old_token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("new_token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("old_agreed_at", MOMENT, nullable=True),
        sa.Column("new_agreed_at", MOMENT, nullable=True),
        sa.UniqueConstraint("old_token_hash", name=op.f("uq_email_change_old_token_hash")),
        sa.UniqueConstraint("new_token_hash", name=op.f("uq_email_change_new_token_hash")),
        sa.CheckConstraint("new_email = lower(new_email)", name=op.f("ck_email_change_new_email_lower")),
        sa.CheckConstraint("new_email <> old_email", name=op.f("ck_email_change_another")),
    )
    _create(
        "factor_reset",
        sa.Column("begun_by", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("begun_token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("ready_token_hash", sa.LargeBinary(), nullable=True),
        sa.Column("ready_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["begun_by"], ["users.id"], name=op.f("fk_factor_reset_begun_by_users")),
        sa.UniqueConstraint("begun_token_hash", name=op.f("uq_factor_reset_begun_token_hash")),
        sa.UniqueConstraint("ready_token_hash", name=op.f("uq_factor_reset_ready_token_hash")),
        sa.CheckConstraint("begun_by <> user_id", name=op.f("ck_factor_reset_begun_by_another")),
        sa.CheckConstraint(
            "ready_at >= created_at AND expires_at > ready_at", name=op.f("ck_factor_reset_in_order")
        ),
    )


def downgrade() -> None:
    raise NotImplementedError("Books are not unwritten. Restore the backup from before the upgrade instead.")


def _create(table: str, *parts: sa.schema.SchemaItem) -> None:
    """A thing of one person that is open until it is closed, at most one at a time."""
    op.create_table(
        table,
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("closed_at", MOMENT, nullable=True),
        *parts,
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f(f"fk_{table}_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    )
    op.create_index(f"uq_{table}_open", table, ["user_id"], unique=True, postgresql_where=OPEN)
